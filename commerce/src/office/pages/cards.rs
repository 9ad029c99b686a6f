//! One card: where it stands, and who has seen its code. The code of a sold card is shown to an admin
//! who says why, once the database has his name and his reason. The code of a card in stock is shown
//! to nobody.

use axum::extract::State;
use maud::{Markup, html};

use crate::{
    audit::{self, AuditFilter, AuditLine},
    office::{
        Desk,
        failure::Failure,
        layout::{self, Place},
        parts::{Tone, badge, fact, form_token, hidden_code, moment, needed, nothing},
        read::{
            cards::{self, CardLine},
            sales::number_of,
        },
        request::{At, Posted, Visitor, named},
        role::Right,
    },
    seal::PinCode,
    stock::{self, Serial},
    word::CardTypeId,
};

/// Views of a card's code that its page lists, the last ones.
const VIEWS_SHOWN: u32 = 20;

pub(crate) async fn show(
    State(desk): State<Desk>,
    visitor: Visitor,
    At((card_type, serial)): At<(String, String)>,
) -> Result<Markup, Failure> {
    let (card_type, serial) = name(&card_type, &serial)?;
    page(&desk, &visitor, &card_type, &serial, None).await
}

pub(crate) async fn code(
    State(desk): State<Desk>,
    At((card_type, serial)): At<(String, String)>,
    posted: Posted,
) -> Result<Markup, Failure> {
    let visitor = &posted.visitor;
    visitor.needs(Right::Codes)?;
    let (card_type, serial) = name(&card_type, &serial)?;
    let reason = posted.form.reason()?;
    let mut write = desk.office.store.write().await?;
    let keys = &desk.office.keys;
    let found = stock::handed_out_card(write.connection(), keys, &card_type, &serial).await?;
    let (_, card) = found.ok_or(Failure::Missing("sold card"))?;
    let subject = stock::audit_subject(&card_type, &serial);
    let now = desk.now();
    audit::record(
        &mut write,
        visitor.who(),
        "card.shown",
        &subject,
        reason,
        now,
    )
    .await?;
    write.commit().await?;
    page(&desk, visitor, &card_type, &serial, Some(&card.pin)).await
}

fn name(card_type: &str, serial: &str) -> Result<(CardTypeId, Serial), Failure> {
    Ok((named(card_type, "card")?, named(serial, "card")?))
}

/// The page of whatever took the card, and its name.
fn bought_by(reservation: &str) -> (String, String) {
    match number_of(reservation) {
        Some(number) => (format!("/office/sales/{number}"), format!("Sale {number}")),
        None => {
            let path = format!("/office/purchases/{reservation}");
            (path, format!("Purchase {reservation}"))
        }
    }
}

async fn page(
    desk: &Desk,
    visitor: &Visitor,
    card_type: &CardTypeId,
    serial: &Serial,
    pin: Option<&PinCode>,
) -> Result<Markup, Failure> {
    let mut read = desk.office.store.read().await?;
    let card = cards::find(&mut read, card_type, serial).await?;
    let card = card.ok_or(Failure::Missing("card"))?;
    let filter = AuditFilter {
        subject: Some(stock::audit_subject(card_type, serial)),
        ..AuditFilter::default()
    };
    let views = audit::list(&mut read, &filter, None, VIEWS_SHOWN).await?;
    let title = format!("Card {}", card.serial);
    let above = card.reservation.as_deref().map(bought_by);
    let above = above
        .as_ref()
        .map(|(path, name)| (path.as_str(), name.as_str()));
    let content = html! {
        (layout::head(&title, above, state(&card)))
        section .card {
            dl .facts {
                (fact("Card type", html! { a href={ "/office/stock/" (card.card_type) } { (card.card_type) } }))
                (fact("Serial", html! { span .code { (card.serial) } }))
                (fact("Expires", card.expires_on.as_str()))
                @if let Some(at) = card.faulty_at { (fact("Set aside", moment(at))) }
                @if let Some(at) = card.sold_at { (fact("Sold", moment(at))) }
                @if let Some(reservation) = &card.reservation { (fact("For", reservation.as_str())) }
            }
        }
        div .columns {
            section .card {
                header .card-head { h2 { "PIN code" } }
                @if let Some(pin) = pin { (revealed(pin)) } @else { (hidden(visitor, &card)) }
            }
            section .card {
                header .card-head { h2 { "Who has seen the code" } }
                (seen(&views))
            }
        }
    };
    Ok(layout::page(visitor, Place::Sales, &title, content))
}

fn state(card: &CardLine) -> Markup {
    if card.faulty_at.is_some() {
        return badge(Tone::Bad, "faulty");
    }
    match card.state.as_str() {
        "sold" => badge(Tone::Good, "sold"),
        "reserved" => badge(Tone::Warn, "reserved"),
        other => badge(Tone::Plain, other),
    }
}

fn revealed(pin: &PinCode) -> Markup {
    html! {
        code .secret #pin { (pin.reveal()) }
        p .hint { "That you have seen it is in the audit log. Leave this page when you are done." }
    }
}

fn hidden(visitor: &Visitor, card: &CardLine) -> Markup {
    html! {
        @if card.state != "sold" {
            p .hint { "The code of a card that is not sold is shown to nobody." }
        } @else if visitor.may(Right::Codes) {
            form .stack method="post" action={ "/office/cards/" (card.card_type) "/" (card.serial) "/code" } {
                (form_token(visitor))
                (needed("reason", "Reason", "why you have to see it"))
                p .hint { "Your name and the reason go into the audit log for good." }
                div { button .main type="submit" { "Show the code" } }
            }
        } @else {
            p { (hidden_code()) }
            p .hint { "An admin can see it." }
        }
    }
}

fn seen(views: &[AuditLine]) -> Markup {
    html! {
        @if views.is_empty() { (nothing("Nobody has.")) } @else {
            ol .line { @for view in views { li {
                p { strong { (view.who) } @if view.what != "card.shown" { " " (view.what) } }
                p { (view.detail) }
                (moment(view.at))
            } } }
        }
    }
}
