//! Who may log in. Only admins come here, and nobody changes what he is himself.

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use crate::{
    moment::UnixMs,
    office::{
        Desk,
        failure::Failure,
        layout::{self, Place},
        operators::{self, Operator, OperatorName},
        parts::{
            Tone, badge, fact, form_token, link, moment, needed, new_password, numbers, table,
            words,
        },
        password::{Hashed, Password},
        request::{At, Fields, Posted, Visitor, named},
        role::{Right, Role},
    },
};

pub(crate) async fn list(
    State(desk): State<Desk>,
    visitor: Visitor,
    query: Fields,
) -> Result<Markup, Failure> {
    visitor.needs(Right::Operators)?;
    let mut read = desk.office.store.read().await?;
    let all = operators::list(&mut read).await?;
    let content = html! {
        (layout::head("Operators", None, html! {}))
        (layout::notice(&query))
        section .card { (list_table(&all, desk.now())) }
        section .card {
            header .card-head { h2 { "Add an operator" } }
            form .stack method="post" action="/office/operators" {
                (form_token(&visitor))
                (needed("name", "Name", "small letters, digits, '.', '_' and '-'"))
                (roles(Role::Viewer))
                (new_password())
                div { button .main type="submit" { "Add" } }
            }
        }
    };
    Ok(layout::page(
        &visitor,
        Place::Operators,
        "Operators",
        content,
    ))
}

fn list_table(all: &[Operator], now: UnixMs) -> Markup {
    let columns = [words("Name"), words("Role"), words("Since"), numbers("")];
    let row = |one: &Operator| {
        [
            html! { a href={ "/office/operators/" (one.name) } { (one.name) } },
            html! { (one.role) },
            moment(one.made_at),
            state(one, now),
        ]
    };
    table(columns, all.iter().map(row), "There are no operators.")
}

fn state(operator: &Operator, now: UnixMs) -> Markup {
    if !operator.active {
        return badge(Tone::Plain, "out of service");
    }
    if operator.locked_until > now {
        return badge(Tone::Warn, "locked");
    }
    badge(Tone::Good, "active")
}

fn roles(chosen: Role) -> Markup {
    html! {
        label .field {
            span { "Role" }
            select name="role" {
                @for role in Role::ALL {
                    option value=(role.word()) selected[role == chosen] { (role.word()) }
                }
            }
        }
    }
}

pub(crate) async fn add(State(desk): State<Desk>, posted: Posted) -> Result<Response, Failure> {
    posted.visitor.needs(Right::Operators)?;
    let name: OperatorName = posted.form.need("name", "The name")?;
    let role: Role = posted.form.need("role", "The role")?;
    let password = hashed(&desk, &posted).await?;
    let mut write = desk.office.store.write().await?;
    let by = posted.visitor.who();
    operators::add(&mut write, by, &name, role, &password, desk.now()).await?;
    write.commit().await?;
    Ok(done(&name, "operator"))
}

pub(crate) async fn show(
    State(desk): State<Desk>,
    visitor: Visitor,
    At(name): At<String>,
    query: Fields,
) -> Result<Markup, Failure> {
    visitor.needs(Right::Operators)?;
    let name: OperatorName = named(&name, "operator")?;
    let mut read = desk.office.store.read().await?;
    let operator = operators::find(&mut read, &name).await?;
    let operator = operator.ok_or(Failure::Missing("operator"))?;
    let title = format!("Operator {name}");
    let content = html! {
        (layout::head(&title, Some(("/office/operators", "Operators")), state(&operator, desk.now())))
        (layout::notice(&query))
        section .card {
            dl .facts {
                (fact("Role", operator.role.word()))
                (fact("Since", moment(operator.made_at)))
                @if operator.locked_until > desk.now() { (fact("Locked until", moment(operator.locked_until))) }
                (fact("Actions", html! {
                    a href=(link("/office/audit", &[("who", &format!("operator:{name}"))])) { "Show" }
                }))
            }
        }
        @if name == *visitor.operator() {
            p .notice { "This is you. Another admin can change your role." }
        } @else {
            (forms(&visitor, &operator))
        }
    };
    Ok(layout::page(&visitor, Place::Operators, &title, content))
}

fn forms(visitor: &Visitor, operator: &Operator) -> Markup {
    let path = format!("/office/operators/{}", operator.name);
    let (wanted, label) = if operator.active {
        ("no", "Put out of service")
    } else {
        ("yes", "Put back in service")
    };
    html! {
        div .columns {
            section .card {
                header .card-head { h2 { "Role" } }
                form .stack method="post" action={ (path) "/role" } {
                    (form_token(visitor))
                    (roles(operator.role))
                    div { button type="submit" { "Set the role" } }
                }
            }
            section .card {
                header .card-head { h2 { "Password" } }
                form .stack method="post" action={ (path) "/password" } {
                    (form_token(visitor))
                    (new_password())
                    div { button type="submit" { "Set the password" } }
                }
            }
            section .card {
                header .card-head { h2 { "Service" } }
                form .stack method="post" action={ (path) "/active" } {
                    (form_token(visitor))
                    input type="hidden" name="active" value=(wanted);
                    p .hint { "Who is out of service cannot log in; what was done stays in the audit log." }
                    div { button .danger[operator.active] type="submit" { (label) } }
                }
            }
        }
    }
}

pub(crate) async fn set_role(
    State(desk): State<Desk>,
    At(name): At<String>,
    posted: Posted,
) -> Result<Response, Failure> {
    let name = other(&name, &posted)?;
    let role: Role = posted.form.need("role", "The role")?;
    let mut write = desk.office.store.write().await?;
    operators::set_role(&mut write, posted.visitor.who(), &name, role, desk.now()).await?;
    write.commit().await?;
    Ok(done(&name, "role"))
}

pub(crate) async fn set_password(
    State(desk): State<Desk>,
    At(name): At<String>,
    posted: Posted,
) -> Result<Response, Failure> {
    let name = other(&name, &posted)?;
    let password = hashed(&desk, &posted).await?;
    let mut write = desk.office.store.write().await?;
    let by = posted.visitor.who();
    operators::set_password(&mut write, by, &name, &password, desk.now()).await?;
    write.commit().await?;
    Ok(done(&name, "password"))
}

pub(crate) async fn set_active(
    State(desk): State<Desk>,
    At(name): At<String>,
    posted: Posted,
) -> Result<Response, Failure> {
    let name = other(&name, &posted)?;
    let (by, now) = (posted.visitor.who(), desk.now());
    let mut write = desk.office.store.write().await?;
    let what = match posted.form.text("active") {
        "yes" => {
            operators::enable(&mut write, by, &name, now).await?;
            "enabled"
        }
        "no" => {
            operators::disable(&mut write, by, &name, now).await?;
            "disabled"
        }
        _ => {
            return Err(Failure::Wrong(
                "The operator is to be in service or out of it".to_owned(),
            ));
        }
    };
    write.commit().await?;
    Ok(done(&name, what))
}

/// The operator who is to be changed, by another.
fn other(name: &str, posted: &Posted) -> Result<OperatorName, Failure> {
    posted.visitor.needs(Right::Operators)?;
    let name: OperatorName = named(name, "operator")?;
    if name == *posted.visitor.operator() {
        let why = "Nobody changes their own role or service; ask another admin";
        return Err(Failure::Conflict(why.to_owned()));
    }
    Ok(name)
}

/// Before any change of the database begins, because it takes its time.
async fn hashed(desk: &Desk, posted: &Posted) -> Result<Hashed, Failure> {
    let password = Password::parse(posted.form.secret("password"));
    let password = password.map_err(|fault| Failure::Wrong(format!("The password {fault}")))?;
    Ok(desk.office.hasher.hash(&password).await?)
}

fn done(name: &OperatorName, what: &str) -> Response {
    let path = format!("/office/operators/{name}");
    layout::redirect(&link(&path, &[("done", what)]))
}
