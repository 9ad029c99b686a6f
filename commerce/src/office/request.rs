//! Who asks, and what for. A page hears of its visitor by one of three extractors, and the two that a
//! POST can use have compared the form's token with the session's: no handler can forget to.

use std::{fmt::Display, str::FromStr};

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Multipart, Path, Request},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{
    Desk,
    failure::Failure,
    login,
    operators::OperatorName,
    role::{Right, Role},
    sessions::{self, Session, Token},
};
use crate::{audit::Who, http::Caller, phone::Phone, stock::FILE_BYTES_MAX};

/// Fields of a form or a query; no page has half as many.
const FIELDS_MAX: usize = 32;

/// Bytes of a field beside a file.
const UPLOAD_FIELD_BYTES_MAX: usize = 256;

/// The hidden field that shows that a form is of its session.
pub(super) const FORM_TOKEN: &str = "form_token";

/// An operator who asks.
#[derive(Debug)]
pub(super) struct Visitor(Session);

impl Visitor {
    pub(super) fn name(&self) -> &str {
        self.0.name.as_str()
    }

    pub(super) fn operator(&self) -> &OperatorName {
        &self.0.name
    }

    pub(super) fn role(&self) -> Role {
        self.0.role
    }

    pub(super) fn may(&self, right: Right) -> bool {
        self.0.role.may(right)
    }

    pub(super) fn needs(&self, right: Right) -> Result<(), Failure> {
        let role = self.0.role;
        role.may(right)
            .then_some(())
            .ok_or(Failure::Right(right, role))
    }

    /// As whom the audit log knows him.
    pub(super) fn who(&self) -> Who<'_> {
        Who::Operator(self.name())
    }

    pub(super) fn token(&self) -> &Token {
        &self.0.token
    }

    /// What his forms carry.
    pub(super) fn form_token(&self) -> String {
        self.0.token.form_token()
    }

    /// A subscriber's number, as much of it as he may see.
    pub(super) fn phone(&self, phone: &Phone) -> String {
        if self.may(Right::Phones) {
            phone.to_string()
        } else {
            phone.masked()
        }
    }

    async fn of(headers: &HeaderMap, desk: &Desk) -> Result<Self, Failure> {
        let token = token(headers, desk).ok_or(Failure::LoggedOut)?;
        let session = sessions::find(&desk.office.store, token, desk.now()).await?;
        session.map(Self).ok_or(Failure::LoggedOut)
    }

    fn check_form(&self, presented: &str) -> Result<(), Failure> {
        let is_own = self.0.token.made_form(presented);
        is_own.then_some(()).ok_or(Failure::Form)
    }
}

/// The token that the browser sends, if it is one.
pub(super) fn token(headers: &HeaderMap, desk: &Desk) -> Option<Token> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let mut texts = cookies.filter_map(|value| value.to_str().ok());
    texts.find_map(|text| desk.office.cookies.token(text))
}

/// Of a GET alone: what changes something has to compare the form's token.
impl FromRequestParts<Desk> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Failure> {
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            return Err(Failure::Form);
        }
        Self::of(&parts.headers, desk).await
    }
}

/// A form that an operator sent from one of our pages.
pub(super) struct Posted {
    pub(super) visitor: Visitor,
    pub(super) form: Fields,
}

impl FromRequest<Desk> for Posted {
    type Rejection = Failure;

    async fn from_request(request: Request, desk: &Desk) -> Result<Self, Failure> {
        let visitor = Visitor::of(request.headers(), desk).await?;
        let form = form(request, desk).await?;
        visitor.check_form(form.text(FORM_TOKEN))?;
        Ok(Self { visitor, form })
    }
}

/// A file that an operator sent from one of our pages.
pub(super) struct Uploaded {
    pub(super) visitor: Visitor,
    pub(super) file: Zeroizing<Vec<u8>>,
}

/// The form's token comes first and is compared before the file is read.
impl FromRequest<Desk> for Uploaded {
    type Rejection = Failure;

    async fn from_request(request: Request, desk: &Desk) -> Result<Self, Failure> {
        let visitor = Visitor::of(request.headers(), desk).await?;
        let parts = Multipart::from_request(request, desk).await;
        let mut parts = parts.map_err(|_| cut_off(StatusCode::BAD_REQUEST))?;
        let presented = next_part(&mut parts, FORM_TOKEN, UPLOAD_FIELD_BYTES_MAX).await?;
        let presented = presented.ok_or(Failure::Form)?;
        visitor.check_form(str::from_utf8(&presented).unwrap_or_default())?;
        let file = next_part(&mut parts, "file", FILE_BYTES_MAX).await?;
        let file = file.ok_or_else(|| Failure::Wrong("There is no file".to_owned()))?;
        Ok(Self { visitor, file })
    }
}

/// The next part of an upload, if it has that name.
async fn next_part(
    parts: &mut Multipart,
    name: &str,
    bytes_max: usize,
) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let part = parts.next_field().await;
    let Some(mut part) = part.map_err(|error| cut_off(error.status()))? else {
        return Ok(None);
    };
    if part.name() != Some(name) {
        return Ok(None);
    }
    let mut bytes = Zeroizing::new(Vec::new());
    while let Some(chunk) = part
        .chunk()
        .await
        .map_err(|error| cut_off(error.status()))?
    {
        if bytes.len() + chunk.len() > bytes_max {
            return Err(Failure::TooLong);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

fn cut_off(status: StatusCode) -> Failure {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return Failure::TooLong;
    }
    Failure::Wrong("The form is cut off or not well formed".to_owned())
}

/// Reads a form's body, whoever sent it; only the login takes it so.
pub(super) async fn form(request: Request, desk: &Desk) -> Result<Fields, Failure> {
    let body = Bytes::from_request(request, desk).await;
    let body = body.map_err(|rejection| cut_off(rejection.status()))?;
    Fields::parse(&body)
}

/// Whether a browser says that another site had this sent. Old ones say nothing.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    site.is_some_and(|site| site != b"same-origin" && site != b"none")
}

/// By what tries to log in are counted.
pub(super) fn address(request: &Request) -> String {
    let caller = request.extensions().get::<Caller>();
    login::address(caller.map(|Caller(address)| *address))
}

/// The fields of a form or of a query. Those that are empty are taken for missing.
#[derive(Default)]
pub(super) struct Fields(Vec<(String, Zeroizing<String>)>);

impl Fields {
    fn parse(text: &[u8]) -> Result<Self, Failure> {
        let fields = form_urlencoded::parse(text).take(FIELDS_MAX + 1);
        let fields: Vec<_> = fields
            .map(|(name, value)| (name.into_owned(), Zeroizing::new(value.into_owned())))
            .collect();
        if fields.len() > FIELDS_MAX {
            return Err(Failure::TooLong);
        }
        // PostgreSQL has no place for it in a text.
        if fields.iter().any(|(_, value)| value.contains('\0')) {
            return Err(Failure::Wrong("A field holds an octet 0".to_owned()));
        }
        Ok(Self(fields))
    }

    /// What a field holds, without blanks around it; nothing if it is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.secret(name).trim()
    }

    /// What a field holds, to the letter.
    pub(super) fn secret(&self, name: &str) -> &str {
        let field = self.0.iter().find(|(own, _)| own == name);
        field.map_or("", |(_, value)| value.as_str())
    }

    /// What a field must hold. The label is what the page calls it.
    pub(super) fn need<T: FromStr<Err: Display>>(
        &self,
        name: &str,
        label: &str,
    ) -> Result<T, Failure> {
        let wrong = |fault: T::Err| Failure::Wrong(format!("{label} {fault}"));
        self.text(name).parse().map_err(wrong)
    }

    /// What a field may hold.
    pub(super) fn find<T: FromStr<Err: Display>>(
        &self,
        name: &str,
        label: &str,
    ) -> Result<Option<T>, Failure> {
        let is_there = !self.text(name).is_empty();
        is_there.then(|| self.need(name, label)).transpose()
    }

    /// A reason that a person gives, because others will ask for it.
    pub(super) fn reason(&self) -> Result<&str, Failure> {
        let reason = self.text("reason");
        if (5..=200).contains(&reason.chars().count()) {
            return Ok(reason);
        }
        Err(Failure::Wrong(
            "The reason is not 5 to 200 characters long".to_owned(),
        ))
    }
}

/// Of a query.
impl FromRequestParts<Desk> for Fields {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _desk: &Desk) -> Result<Self, Failure> {
        Self::parse(parts.uri.query().unwrap_or_default().as_bytes())
    }
}

/// The part of the path that stands for something, or several.
pub(super) struct At<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Desk> for At<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Failure> {
        let path = Path::<T>::from_request_parts(parts, desk).await;
        path.map(|Path(part)| Self(part))
            .map_err(|_| Failure::Missing("page"))
    }
}

/// A word of the path. What is none names nothing.
pub(super) fn named<T: FromStr>(text: &str, what: &'static str) -> Result<T, Failure> {
    text.parse().map_err(|_| Failure::Missing(what))
}
