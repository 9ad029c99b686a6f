//! What each request does. Reads what was sent, asks the floors below, and shows where the order stands then.

use axum::{
    Extension,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use super::{
    Checkout,
    begin::{Begun, begin},
    link::{Link, LinkFault},
    pages::{self, View},
    stage::{Stage, outcome},
    token::Token,
    words::{self, Words, Wrong},
};
use crate::{
    http::Caller,
    merchants::{self, Merchant, MerchantError, Secrets, orders},
    moment::UnixMs,
    otp::{self, Code},
    phone::Phone,
    purchase::{self, Confirmed, PurchaseError, Who},
    rate::caller_at,
    store::StoreError,
    word::Id,
};

/// Characters of a phone that are read and shown again; its field takes no more.
const TYPED_MAX: usize = 20;

/// Why there is no page of an order.
#[derive(Debug)]
pub(super) enum Fault {
    /// A merchant's link is not followed.
    Link(LinkFault),
    /// There is no such page, or not any more.
    Gone,
    /// The form is not of this page.
    Form,
    /// The merchant's own page is none of his any more.
    Return,
    /// There were too many calls.
    TooOften,
    /// The database is busy.
    Busy,
    /// It is ours.
    Ours,
}

type Answer = Result<Response, Fault>;
type CalledBy = Option<Extension<Caller>>;

/// `GET /pay?…`: a merchant's link.
pub(super) async fn follow(State(checkout): State<Checkout>, by: CalledBy, uri: Uri) -> Answer {
    let now = checkout.now();
    admit(&checkout, by, now)?;
    let link = Link::parse(uri.query().unwrap_or_default())?;
    let followed = open(&checkout, &link, now).await;
    if let Err(Fault::Link(fault)) = &followed {
        tracing::warn!(merchant = %link.merchant, %fault, "a merchant's link is not followed");
    }
    Ok(see(followed?.path()))
}

async fn open(checkout: &Checkout, link: &Link<'_>, now: UnixMs) -> Result<Token, Fault> {
    let (merchant, secrets) = merchant(checkout, &link.merchant, now).await?;
    if !secrets.is_right(link.signed, &link.signature) {
        return Err(LinkFault::Signature.into());
    }
    let (order, created_s) = link.content()?;
    let refusal = [
        (!merchants::is_recent(created_s, now), LinkFault::Time),
        (!merchant.active, LinkFault::Off),
        (
            !merchant.may_return_to(&order.return_url),
            LinkFault::ReturnUrl,
        ),
        (
            !merchant.registration.amounts.allow(order.amount),
            LinkFault::Amount,
        ),
    ];
    if let Some((_, fault)) = refusal.into_iter().find(|(is_so, _)| *is_so) {
        return Err(fault.into());
    }
    let token = Token::make().ok_or(Fault::Ours)?;
    let mut write = checkout.store.write().await?;
    if !orders::open(&mut write, &order, &token.digest(), now).await? {
        return Err(LinkFault::OtherAmount.into());
    }
    write.commit().await?;
    Ok(token)
}

async fn merchant(checkout: &Checkout, id: &Id, now: UnixMs) -> Result<(Merchant, Secrets), Fault> {
    let mut read = checkout.store.read().await?;
    let found = merchants::find(&mut read, &checkout.keys, id, now).await?;
    found.ok_or(Fault::Link(LinkFault::Merchant))
}

/// `GET /pay/TOKEN`.
pub(super) async fn show(
    State(checkout): State<Checkout>,
    by: CalledBy,
    Path(token): Path<String>,
) -> Answer {
    let now = checkout.now();
    admit(&checkout, by, now)?;
    let token = Token::parse(&token).ok_or(Fault::Gone)?;
    Ok(pages::page(&view(&checkout, &token, now).await?, None).into_response())
}

/// A form that is loaded again shows its page.
pub(super) async fn back(Path(token): Path<String>) -> Answer {
    let token = Token::parse(&token).ok_or(Fault::Gone)?;
    Ok(see(token.path()))
}

/// `GET /pay/TOKEN/status`.
pub(super) async fn status(
    State(checkout): State<Checkout>,
    by: CalledBy,
    Path(token): Path<String>,
) -> Answer {
    let now = checkout.now();
    admit(&checkout, by, now)?;
    let token = Token::parse(&token).ok_or(Fault::Gone)?;
    let view = view(&checkout, &token, now).await?;
    let json = serde_json::json!({"stage": view.stage.word()}).to_string();
    Ok(([(header::CONTENT_TYPE, "application/json")], json).into_response())
}

/// `GET /pay/TOKEN/return`: to the merchant's own page, if it still is his.
pub(super) async fn leave(
    State(checkout): State<Checkout>,
    by: CalledBy,
    Path(token): Path<String>,
) -> Answer {
    let now = checkout.now();
    admit(&checkout, by, now)?;
    let token = Token::parse(&token).ok_or(Fault::Gone)?;
    let View {
        order, purchase, ..
    } = view(&checkout, &token, now).await?;
    let (merchant, secrets) = merchant(&checkout, &order.asked.merchant, now).await?;
    let url = &order.asked.return_url;
    if !merchant.may_return_to(url) {
        return Err(Fault::Return);
    }
    let parameters = [
        ("order", order.asked.reference.as_str()),
        (
            "purchase",
            purchase
                .as_ref()
                .map_or("", |purchase| purchase.id.as_str()),
        ),
        ("result", outcome(&order, purchase.as_ref(), now).word()),
        ("created", &now.0.div_euclid(1_000).to_string()),
    ];
    Ok(see(url.signed(&parameters, |query| {
        secrets.present().sign(&[query])
    })))
}

/// `POST /pay/TOKEN/phone`.
pub(super) async fn phone(
    State(checkout): State<Checkout>,
    by: CalledBy,
    Path(token): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let (now, token, form) = posted(&checkout, by, &token, body)?;
    let mut view = view(&checkout, &token, now).await?;
    let typed = form.field("phone").unwrap_or_default();
    let typed: String = typed.chars().take(TYPED_MAX).collect();
    let Ok(phone) = typed.parse::<Phone>() else {
        view.typed = typed;
        return Ok(wrong(&view, Wrong::Phone));
    };
    match begin(&checkout, &view.order, &phone, now).await? {
        Begun::Asked | Begun::Closed => Ok(see(token.path())),
        Begun::Refused => {
            // The page may have become one of too many tries.
            let mut view = self::view(&checkout, &token, now).await?;
            view.typed = typed;
            Ok(wrong(&view, Wrong::Refused))
        }
    }
}

/// `POST /pay/TOKEN/code`.
pub(super) async fn code(
    State(checkout): State<Checkout>,
    by: CalledBy,
    Path(token): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let (now, token, form) = posted(&checkout, by, &token, body)?;
    let view = view(&checkout, &token, now).await?;
    let Some(who) = asked(&view) else {
        return Ok(see(token.path()));
    };
    let digits = form.field("code").map(|text| text.replace(' ', ""));
    let Some(code) = digits.and_then(|digits| Code::parse(&digits)) else {
        return Ok(wrong(&view, Wrong::CodeForm));
    };
    let (keys, rules) = (&checkout.keys, &checkout.rules);
    let confirmed = purchase::confirm(&checkout.store, keys, rules, &who, &code, now).await;
    match confirmed {
        Ok(Confirmed::Charging(_) | Confirmed::OutOfStock(_)) => Ok(see(token.path())),
        Ok(Confirmed::Wrong { tries_left }) => Ok(wrong(&view, Wrong::Code { tries_left })),
        Ok(Confirmed::Locked { .. }) => Ok(wrong(&view, Wrong::Locked)),
        Ok(Confirmed::Gone) => Ok(wrong(&view, Wrong::Gone)),
        Err(PurchaseError::Refused(refusal)) => stood(&token, &view, &refusal, Wrong::Refused),
        Err(error) => Err(error.into()),
    }
}

/// `POST /pay/TOKEN/resend`.
pub(super) async fn resend(
    State(checkout): State<Checkout>,
    by: CalledBy,
    Path(token): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let (now, token, _) = posted(&checkout, by, &token, body)?;
    let view = view(&checkout, &token, now).await?;
    let Some(who) = asked(&view) else {
        return Ok(see(token.path()));
    };
    let (keys, rules) = (&checkout.keys, &checkout.rules);
    match purchase::resend(&checkout.store, keys, rules, &who, now).await {
        Ok(_) => Ok(see(token.path())),
        Err(PurchaseError::Refused(refusal)) => stood(&token, &view, &refusal, Wrong::NotSent),
        Err(error) => Err(error.into()),
    }
}

/// `POST /pay/TOKEN/cancel`.
pub(super) async fn cancel(
    State(checkout): State<Checkout>,
    by: CalledBy,
    Path(token): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let (now, token, _) = posted(&checkout, by, &token, body)?;
    let view = view(&checkout, &token, now).await?;
    let Some(who) = asked(&view) else {
        return Ok(see(token.path()));
    };
    match purchase::cancel(&checkout.store, &checkout.keys, &who, now).await {
        // Whoever was faster, the page tells.
        Ok(_) | Err(PurchaseError::Refused(_)) => Ok(see(token.path())),
        Err(error) => Err(error.into()),
    }
}

/// The purchase of a page that awaits its code.
fn asked(view: &View) -> Option<Who> {
    let purchase = view.purchase.as_ref()?;
    (view.stage == Stage::Code).then(|| Who::Purchase(purchase.id.clone()))
}

/// A refusal leaves the page where it is, unless another was faster.
fn stood(token: &Token, view: &View, refusal: &purchase::Refusal, why: Wrong) -> Answer {
    Ok(match refusal {
        purchase::Refusal::NothingAwaits => see(token.path()),
        _ => wrong(view, why),
    })
}

fn admit(checkout: &Checkout, by: CalledBy, now: UnixMs) -> Result<(), Fault> {
    let Some(Extension(Caller(address))) = by else {
        return Ok(());
    };
    let taken = checkout
        .limiter
        .take(checkout.rate, &caller_at(address), now);
    taken.map_err(|_| Fault::TooOften)
}

struct Form(Bytes);

impl Form {
    fn field(&self, name: &str) -> Option<String> {
        let mut fields = form_urlencoded::parse(&self.0);
        let found = fields.find(|(field, _)| field == name);
        found.map(|(_, value)| value.into_owned())
    }
}

/// A form that comes from its own page.
fn posted(
    checkout: &Checkout,
    by: CalledBy,
    token: &str,
    body: Result<Bytes, BytesRejection>,
) -> Result<(UnixMs, Token, Form), Fault> {
    let now = checkout.now();
    admit(checkout, by, now)?;
    let token = Token::parse(token).ok_or(Fault::Gone)?;
    let form = Form(body.map_err(|_| Fault::Form)?);
    let key = form.field("form").unwrap_or_default();
    match token.is_form_key(&checkout.keys, &key) {
        true => Ok((now, token, form)),
        false => Err(Fault::Form),
    }
}

async fn view(checkout: &Checkout, token: &Token, now: UnixMs) -> Result<View, Fault> {
    let mut read = checkout.store.read().await?;
    let order = orders::of_token(&mut read, &token.digest()).await?;
    let order = order.ok_or(Fault::Gone)?;
    let merchant = &order.asked.merchant;
    let merchant = merchants::find(&mut read, &checkout.keys, merchant, now).await?;
    let (merchant, _) = merchant.ok_or(Fault::Gone)?;
    let (purchase, sent) = match &order.purchase {
        Some(id) => (
            purchase::find(&mut read, id).await?,
            otp::last_sent(&mut read, id).await?,
        ),
        None => (None, None),
    };
    Ok(View {
        merchant: merchant.registration.name,
        stage: Stage::of(&order, purchase.as_ref(), now),
        order,
        purchase,
        sent,
        path: token.path(),
        typed: String::new(),
        form_key: token.form_key(&checkout.keys),
        cooldown_ms: checkout.rules.otp.cooldown_ms,
        now,
    })
}

fn wrong(view: &View, why: Wrong) -> Response {
    let page = pages::page(view, Some(why));
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

/// Goes to another page, by GET.
fn see(location: String) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

impl Fault {
    fn parts(&self) -> (StatusCode, &'static str, Words) {
        match self {
            Self::Link(fault) => {
                let (status, code) = match fault {
                    LinkFault::Length => (StatusCode::BAD_REQUEST, "L1"),
                    LinkFault::Unsigned => (StatusCode::BAD_REQUEST, "L2"),
                    LinkFault::Field(_) => (StatusCode::BAD_REQUEST, "L3"),
                    LinkFault::Merchant => (StatusCode::FORBIDDEN, "L4"),
                    LinkFault::Signature => (StatusCode::FORBIDDEN, "L5"),
                    LinkFault::Time => (StatusCode::GONE, "L6"),
                    LinkFault::Off => (StatusCode::FORBIDDEN, "L7"),
                    LinkFault::Amount => (StatusCode::FORBIDDEN, "L8"),
                    LinkFault::ReturnUrl => (StatusCode::FORBIDDEN, "L9"),
                    LinkFault::OtherAmount => (StatusCode::CONFLICT, "L10"),
                };
                (status, code, words::of_link(*fault))
            }
            Self::Gone => (StatusCode::NOT_FOUND, "P1", words::GONE),
            Self::Form => (StatusCode::FORBIDDEN, "P2", words::FORM),
            Self::Return => (StatusCode::FORBIDDEN, "P3", words::RETURN),
            Self::TooOften => (StatusCode::TOO_MANY_REQUESTS, "P4", words::TOO_OFTEN),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "P5", words::BUSY),
            Self::Ours => (StatusCode::INTERNAL_SERVER_ERROR, "P6", words::OURS),
        }
    }

    fn ours(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a customer's page cannot be shown");
        Self::Ours
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, code, words) = self.parts();
        (status, pages::fault(words, code)).into_response()
    }
}

impl From<LinkFault> for Fault {
    fn from(fault: LinkFault) -> Self {
        Self::Link(fault)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error.is_busy() {
            true => Self::Busy,
            false => Self::ours(error),
        }
    }
}

impl From<MerchantError> for Fault {
    fn from(error: MerchantError) -> Self {
        match error {
            MerchantError::Store(error) => error.into(),
            other => Self::ours(other),
        }
    }
}

impl From<PurchaseError> for Fault {
    fn from(error: PurchaseError) -> Self {
        match error.is_busy() {
            true => Self::Busy,
            false => Self::ours(error),
        }
    }
}
