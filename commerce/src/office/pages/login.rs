//! In and out.

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use maud::Markup;
use zeroize::Zeroizing;

use crate::{
    audit,
    office::{
        Desk,
        failure::Failure,
        layout,
        login::{Claim, LoginError, log_in as enter},
        request::{self, Posted},
        sessions,
    },
};

pub(crate) async fn show() -> Markup {
    layout::login(None)
}

pub(crate) async fn log_in(
    State(desk): State<Desk>,
    request: Request,
) -> Result<Response, Failure> {
    // Nobody is logged in yet, so there is no form's token to compare.
    if request::is_foreign(request.headers()) {
        return Err(Failure::Form);
    }
    let earlier = request::token(request.headers(), &desk);
    let address = request::address(&request);
    let form = request::form(request, &desk).await?;
    let claim = Claim {
        name: form.text("name").to_ascii_lowercase().parse().ok(),
        password: Zeroizing::new(form.secret("password").to_owned()),
        address,
        earlier,
    };
    let office = &desk.office;
    match enter(&office.store, &office.hasher, claim, desk.now()).await {
        Ok(token) => with_cookie("/office", &office.cookies.keep(&token)),
        Err(LoginError::Wrong) => {
            let why = "Name or password is not right. After five wrong passwords wait for fifteen minutes.";
            Ok((StatusCode::UNAUTHORIZED, layout::login(Some(why))).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn log_out(State(desk): State<Desk>, posted: Posted) -> Result<Response, Failure> {
    let visitor = &posted.visitor;
    let mut write = desk.office.store.write().await?;
    sessions::end(&mut write, visitor.token()).await?;
    audit::record(&mut write, visitor.who(), "logout", "", "", desk.now()).await?;
    write.commit().await?;
    with_cookie("/office/login", &desk.office.cookies.forget())
}

fn with_cookie(path: &str, cookie: &str) -> Result<Response, Failure> {
    let mut response = layout::redirect(path);
    let cookie = HeaderValue::from_str(cookie).map_err(|error| Failure::internal(&error))?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}
