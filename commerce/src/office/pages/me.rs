//! An operator's own account: another password.

use axum::{extract::State, response::Response};
use maud::{Markup, html};
use zeroize::Zeroizing;

use crate::office::{
    Desk,
    failure::Failure,
    layout::{self, Place},
    login,
    operators::{self, OperatorName},
    parts::{fact, form_token, new_password},
    password::Password,
    request::{Posted, Visitor},
};

pub(crate) async fn show(visitor: Visitor) -> Markup {
    let content = html! {
        (layout::head("Your account", None, html! {}))
        div .columns {
            section .card {
                dl .facts {
                    (fact("Name", visitor.name()))
                    (fact("Role", visitor.role().word()))
                }
            }
            section .card {
                header .card-head { h2 { "Change your password" } }
                form .stack method="post" action="/office/me" {
                    (form_token(&visitor))
                    label .field {
                        span { "Password until now" }
                        input type="password" name="current" autocomplete="current-password" required;
                    }
                    (new_password())
                    p .hint { "At least twelve characters. You log in again afterwards." }
                    div { button .main type="submit" { "Change the password" } }
                }
            }
        }
    };
    layout::page(&visitor, Place::Me, "Your account", content)
}

/// Whoever has found an open browser does not know the password; his tries count like those to log in.
pub(crate) async fn set_password(
    State(desk): State<Desk>,
    posted: Posted,
) -> Result<Response, Failure> {
    let (office, visitor) = (&desk.office, &posted.visitor);
    let name: &OperatorName = visitor.operator();
    let wanted = Password::parse(posted.form.secret("password"));
    let wanted = wanted.map_err(|fault| Failure::Wrong(format!("The new password {fault}")))?;
    let tried = Zeroizing::new(posted.form.secret("current").to_owned());
    if !login::is_own(&office.store, &office.hasher, name, tried, desk.now()).await? {
        return Err(Failure::Wrong(
            "The password until now is not right, or it was wrong too often".to_owned(),
        ));
    }
    let hashed = office.hasher.hash(&wanted).await?;
    let mut write = office.store.write().await?;
    operators::set_password(&mut write, visitor.who(), name, &hashed, desk.now()).await?;
    write.commit().await?;
    Ok(layout::redirect("/office/login"))
}
