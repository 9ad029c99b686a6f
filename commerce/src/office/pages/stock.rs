//! What is in stock, what is on sale, and files of new cards.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use maud::{Markup, html};

use crate::{
    audit, catalogue,
    moment::Day,
    office::{
        Desk,
        failure::Failure,
        layout::{self, Place},
        parts::{
            Tone, badge, count, fact, form_token, link, money, numbers, pager, sentences, table,
            words,
        },
        read::{
            Page,
            shelves::{self, Shelf},
        },
        request::{At, Fields, Posted, Uploaded, Visitor, named},
        role::Right,
    },
    stock::{self, CardFile, FileFault, StockError},
    word::CardTypeId,
};

pub(crate) async fn list(
    State(desk): State<Desk>,
    visitor: Visitor,
    query: Fields,
) -> Result<Markup, Failure> {
    let after: Option<CardTypeId> = query.find("after", "The page")?;
    let mut read = desk.office.store.read().await?;
    let page = shelves::list(&mut read, after.as_ref(), desk.now()).await?;
    let next = page.next(|shelf| link("/office/stock", &[("after", shelf.card_type.as_str())]));
    let first = after.map(|_| "/office/stock".to_owned());
    let content = html! {
        (layout::head("Stock", None, html! {}))
        section .card { (list_table(&page)) (pager(first, next)) }
    };
    Ok(layout::page(&visitor, Place::Stock, "Stock", content))
}

fn list_table(page: &Page<Shelf>) -> Markup {
    let columns = [
        words("Card type"),
        sentences("Name"),
        words("Category"),
        numbers("Value"),
        numbers("Price"),
        numbers("Free"),
        numbers("Faulty"),
        numbers("Low below"),
        words("First expires"),
        numbers(""),
    ];
    let row = |shelf: &Shelf| {
        [
            html! { a href={ "/office/stock/" (shelf.card_type) } { (shelf.card_type) } },
            html! { (shelf.name) },
            html! { (shelf.category) },
            html! { (money(shelf.value)) },
            html! { (money(shelf.sell_value)) },
            html! { strong { (count(shelf.free)) } },
            faulty(shelf),
            html! { (count(shelf.low_stock)) },
            html! { (shelf.expires_first.as_deref().unwrap_or("–")) },
            state(shelf),
        ]
    };
    table(
        columns,
        page.lines.iter().map(row),
        "There are no card types.",
    )
}

fn faulty(shelf: &Shelf) -> Markup {
    match shelf.faulty {
        0 => html! { "–" },
        cards => badge(Tone::Bad, &count(cards)),
    }
}

fn state(shelf: &Shelf) -> Markup {
    if !shelf.on_sale {
        return badge(Tone::Plain, "off sale");
    }
    match shelf.free {
        0 => badge(Tone::Bad, "sold out"),
        _ if shelf.is_low() => badge(Tone::Warn, "low"),
        _ => badge(Tone::Good, "on sale"),
    }
}

pub(crate) async fn show(
    State(desk): State<Desk>,
    visitor: Visitor,
    At(card_type): At<String>,
    query: Fields,
) -> Result<Markup, Failure> {
    let card_type = named(&card_type, "card type")?;
    page(&desk, &visitor, &card_type, layout::notice(&query)).await
}

async fn page(
    desk: &Desk,
    visitor: &Visitor,
    card_type: &CardTypeId,
    notice: Markup,
) -> Result<Markup, Failure> {
    let mut read = desk.office.store.read().await?;
    let shelf = shelves::find(&mut read, card_type, desk.now()).await?;
    let shelf = shelf.ok_or(Failure::Missing("card type"))?;
    let title = card_type.as_str();
    let content = html! {
        (layout::head(title, Some(("/office/stock", "Stock")), state(&shelf)))
        (notice)
        section .card {
            dl .facts {
                (fact("Name", shelf.name.as_str()))
                (fact("Category", shelf.category.as_str()))
                (fact("Issuer", shelf.issuer.as_str()))
                (fact("Value", money(shelf.value)))
                (fact("Price", money(shelf.sell_value)))
                (fact("Free cards", count(shelf.free)))
                @if shelf.faulty > 0 { (fact("Faulty, set aside", count(shelf.faulty))) }
                (fact("Low below", count(shelf.low_stock)))
                (fact("First expires", shelf.expires_first.as_deref().unwrap_or("–")))
                (fact("Sales", html! { a href=(link("/office/sales", &[("card_type", title)])) { "Show" } }))
            }
        }
        @if visitor.may(Right::Stock) {
            div .columns { (import_form(visitor, &shelf)) (sale_form(visitor, &shelf)) }
        }
    };
    Ok(layout::page(visitor, Place::Stock, title, content))
}

fn import_form(visitor: &Visitor, shelf: &Shelf) -> Markup {
    html! {
        section .card {
            header .card-head { h2 { "Import cards" } }
            form .stack method="post" enctype="multipart/form-data"
                action={ "/office/stock/" (shelf.card_type) "/import" } {
                (form_token(visitor))
                label .field {
                    span { "CSV file" }
                    input type="file" name="file" accept=".csv,text/csv" required;
                }
                p .hint {
                    "Its first line names " code { "CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE" } ". At most "
                    (count(stock::FILE_CARDS_MAX as i64)) " cards; all of them are taken, or none."
                }
                div { button .main type="submit" { "Import" } }
            }
        }
    }
}

fn sale_form(visitor: &Visitor, shelf: &Shelf) -> Markup {
    let (state, wanted, label) = if shelf.on_sale {
        ("It is listed, and agents can buy it.", "no", "Put off sale")
    } else {
        (
            "It is not listed, and nobody can buy it.",
            "yes",
            "Put on sale",
        )
    };
    html! {
        section .card {
            header .card-head { h2 { "On sale" } }
            form .stack method="post" action={ "/office/stock/" (shelf.card_type) "/on-sale" } {
                (form_token(visitor))
                input type="hidden" name="on" value=(wanted);
                p .hint { (state) }
                div { button .danger[shelf.on_sale] type="submit" { (label) } }
            }
        }
    }
}

pub(crate) async fn set_on_sale(
    State(desk): State<Desk>,
    At(card_type): At<String>,
    posted: Posted,
) -> Result<Response, Failure> {
    posted.visitor.needs(Right::Stock)?;
    let card_type: CardTypeId = named(&card_type, "card type")?;
    let (on_sale, what, done) = match posted.form.text("on") {
        "yes" => (true, "stock.on_sale", "on-sale"),
        "no" => (false, "stock.off_sale", "off-sale"),
        _ => return Err(Failure::Wrong("It is to be on sale or off sale".to_owned())),
    };
    let mut write = desk.office.store.write().await?;
    if !catalogue::set_on_sale(&mut write, &card_type, on_sale).await? {
        return Err(Failure::Missing("card type"));
    }
    let who = posted.visitor.who();
    audit::record(&mut write, who, what, card_type.as_str(), "", desk.now()).await?;
    write.commit().await?;
    let path = format!("/office/stock/{card_type}");
    Ok(layout::redirect(&link(&path, &[("done", done)])))
}

pub(crate) async fn import(
    State(desk): State<Desk>,
    At(card_type): At<String>,
    uploaded: Uploaded,
) -> Result<Response, Failure> {
    let visitor = &uploaded.visitor;
    visitor.needs(Right::Stock)?;
    let card_type: CardTypeId = named(&card_type, "card type")?;
    match take(&desk, visitor, &card_type, &uploaded.file).await {
        Ok(()) => {
            let path = format!("/office/stock/{card_type}");
            Ok(layout::redirect(&link(&path, &[("done", "import")])))
        }
        Err(Refused::File(fault)) => {
            let page = page(&desk, visitor, &card_type, faults(&fault)).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Err(Refused::Other(failure)) => Err(failure),
    }
}

/// Why the cards are not taken: the file, of which its sender is told all, or something else.
enum Refused {
    File(FileFault),
    Other(Failure),
}

impl<E: Into<Failure>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

async fn take(
    desk: &Desk,
    visitor: &Visitor,
    card_type: &CardTypeId,
    file: &[u8],
) -> Result<(), Refused> {
    let now = desk.now();
    let today = Day::of(now).map_err(StockError::from)?;
    let file = CardFile::parse(file, today).map_err(Refused::File)?;
    let mut write = desk.office.store.write().await?;
    let imported = stock::import(&mut write, &desk.office.keys, card_type, &file).await;
    let imported = match imported {
        Err(StockError::File(fault)) => return Err(Refused::File(fault)),
        imported => imported?,
    };
    let detail = format!("{imported} cards");
    let (who, what) = (visitor.who(), "stock.imported");
    audit::record(&mut write, who, what, card_type.as_str(), &detail, now).await?;
    write.commit().await?;
    Ok(())
}

fn faults(fault: &FileFault) -> Markup {
    html! {
        div .notice .bad role="alert" {
            @match fault {
                FileFault::Lines { lines, more } => {
                    strong { "No card was taken. " (count((lines.len() + more) as i64)) " lines are no cards:" }
                    ul {
                        @for line in lines { li { (line) } }
                        @if *more > 0 { li { "and " (count(*more as i64)) " more" } }
                    }
                }
                other => { strong { "No card was taken: " (other) "." } }
            }
        }
    }
}
