//! What a message would become, told without sending anything.
//!
//! The very code that builds a real submission builds this one, and what it made is looked at: a
//! preview cannot promise what a submission does not do.

use std::sync::Arc;

use super::{Messaging, Refusal, body::Content, build};
use crate::{
    client::ClientName,
    message::Message,
    outcome::Reason,
    route::{Asked, Plan},
    smpp::{Address, compose::TextSettings, segment::Splitting, text::Coding},
};

/// What a message would become.
#[derive(Clone, PartialEq, Eq)]
pub struct Preview {
    /// The message route.
    pub route: Arc<str>,
    /// The SMSC that would get it now.
    pub smsc: Arc<str>,
    /// How it is carried.
    pub carriage: Carriage,
}

/// How a message would be carried.
#[derive(Clone, PartialEq, Eq)]
pub struct Carriage {
    /// The coding of a text, never [`Coding::Automatic`]; `None` for bytes that are no text.
    pub coding: Option<Coding>,
    /// The same as the PDU says it (SMPP 3.4 5.2.19).
    pub data_coding: u8,
    /// Messages on the air, which is what it costs.
    pub parts: u8,
    /// Septets, octets or UCS-2 characters that all of it takes, headers not counted.
    pub units: usize,
    /// How many more of them fit the last part.
    pub units_left: usize,
    /// How it is split; `None` if it is whole.
    pub splitting: Option<Splitting>,
    /// The text as it will arrive; `None` for bytes that are no text.
    pub text: Option<String>,
}

impl Messaging {
    /// What `message` would become if it were submitted now.
    ///
    /// # Errors
    /// The reason and the words with which a submission would be answered NOT_SENT.
    pub fn preview(&self, client: &ClientName, message: &Message) -> Result<Preview, Refusal> {
        let routes = self.routes.load();
        let route = routes
            .choose(&Asked::new(client, message))
            .map_err(|refusal| (Reason::NoRoute, refusal.told(message)))?;
        let turn = || self.turns.next();
        let mut plan = Plan::new(Arc::clone(route), turn, message.destination.addr.as_bytes());
        let smsc = self.next_smsc(&mut plan)?;
        let source = message.source.as_ref().or(route.default_source.as_ref());
        let carriage = carriage(message, source, &smsc.settings.text)
            .map_err(|detail| (Reason::Invalid, detail))?;
        Ok(Preview {
            route: Arc::clone(&route.name),
            smsc: Arc::clone(&smsc.pool.peer),
            carriage,
        })
    }
}

fn carriage(
    message: &Message,
    source: Option<&Address>,
    settings: &TextSettings,
) -> Result<Carriage, String> {
    let splitting = settings.splitting;
    let built = build::submit(message, source, settings, || 0, |_| ())?;
    let content = Content::of(message, settings)?;
    let size = content.size(splitting)?;
    let (coding, text) = match &content {
        Content::Text(composed) => (Some(composed.coding), Some(composed.text.to_string())),
        Content::Octets(_) | Content::Headed(_) => (None, None),
    };
    Ok(Carriage {
        coding,
        data_coding: content.encoded().data_coding,
        parts: built.parts,
        units: size.units,
        units_left: size.units_left,
        splitting: (built.parts > 1).then_some(splitting),
        text,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        message::{Body, Transliteration},
        messaging::build::{Pdus, submit},
        smpp::pdu::SubmitText,
    };

    fn message(body: Body, transliteration: Transliteration) -> Message {
        let address = Address::international("84901234567").unwrap();
        Message {
            source: Some(address),
            transliteration,
            ..Message::new(address, body)
        }
    }

    fn text(text: &str, transliteration: Transliteration) -> Message {
        message(Body::text(text), transliteration)
    }

    fn previewed(message: &Message, settings: TextSettings) -> Result<Carriage, String> {
        carriage(message, message.source.as_ref(), &settings)
    }

    #[test]
    fn a_preview_tells_the_text_as_it_arrives_and_what_it_costs() {
        let plain = TextSettings::default();
        let long = "Đã nhận ".repeat(10);
        let kept = previewed(&text(&long, Transliteration::Off), plain).unwrap();
        assert_eq!((kept.coding, kept.data_coding), (Some(Coding::Ucs2), 8));
        assert_eq!((kept.parts, kept.units, kept.units_left), (2, 80, 54));
        assert_eq!(kept.splitting, Some(Splitting::Udh8));
        let simple = previewed(&text(&long, Transliteration::On), plain).unwrap();
        assert_eq!((simple.coding, simple.data_coding), (Some(Coding::Gsm7), 0));
        assert_eq!((simple.parts, simple.units, simple.units_left), (1, 80, 80));
        assert_eq!(simple.splitting, None);
        assert_eq!(simple.text, Some("Da nhan ".repeat(10)));
    }

    #[test]
    fn bytes_have_no_coding_and_no_text() {
        let body = Body::Binary {
            data: vec![1; 200].into(),
            data_coding: 4,
            has_user_data_header: false,
        };
        let told = previewed(
            &message(body, Transliteration::Off),
            TextSettings::default(),
        );
        let told = told.unwrap();
        assert_eq!(
            (told.coding, &told.text, told.data_coding),
            (None, &None, 4)
        );
        assert_eq!((told.parts, told.units, told.units_left), (2, 200, 68));
    }

    #[test]
    fn what_would_be_refused_is_refused_with_the_same_words() {
        let settings = TextSettings::default();
        let mut wrong = text("a", Transliteration::Off);
        wrong.validity_s = u32::MAX;
        let submitted = submit(&wrong, wrong.source.as_ref(), &settings, || 0, |_| ()).err();
        assert!(submitted.is_some());
        let previewed = carriage(&wrong, wrong.source.as_ref(), &settings).err();
        assert_eq!(previewed, submitted);
    }

    proptest! {
        #[test]
        fn parts_and_coding_of_a_preview_are_those_of_the_pdus(
            body in "[a-z€\\[đ😀]{0,400}|[a-zéăơ ]{0,300}|[a-z\\[]{0,500}",
            way in 0..4usize,
            latin1: bool,
            transliterate: bool,
        ) {
            let ways = [Splitting::Udh8, Splitting::Udh16, Splitting::Sar, Splitting::Payload];
            let splitting = ways[way];
            let settings = TextSettings {
                latin1,
                splitting,
                transliterate,
                ..TextSettings::default()
            };
            let message = text(&body, Transliteration::Default);
            let told = previewed(&message, settings).unwrap();
            let source = message.source.as_ref();
            let pdu = |pdu: SubmitText<'_>| pdu.to_submit_sm();
            let built = submit(&message, source, &settings, || 77, pdu).unwrap();
            prop_assert_eq!(told.parts, built.parts);
            let pdus = match built.pdus {
                Pdus::One(pdu) => vec![pdu],
                Pdus::Parts(pdus) => pdus,
            };
            prop_assert!(pdus.iter().all(|pdu| pdu.data_coding == told.data_coding));
            match splitting {
                Splitting::Payload => prop_assert_eq!(pdus.len(), 1),
                _ => prop_assert_eq!(pdus.len(), usize::from(told.parts)),
            }
        }

        #[test]
        fn the_room_that_is_told_is_there_and_no_more(
            body in "[a-z€]{0,400}|[a-zđ]{1,300}đ",
            wide: bool,
        ) {
            let splitting = if wide { Splitting::Udh16 } else { Splitting::Udh8 };
            let settings = TextSettings { splitting, ..TextSettings::default() };
            let parts = |body: &str| {
                previewed(&text(body, Transliteration::Off), settings).map(|told| told.parts)
            };
            let told = previewed(&text(&body, Transliteration::Off), settings).unwrap();
            let full = format!("{body}{}", "a".repeat(told.units_left));
            prop_assert_eq!(parts(&full), Ok(told.parts));
            prop_assert_eq!(parts(&format!("{full}a")), Ok(told.parts + 1));
        }
    }
}
