//! A partner who gets messages of subscribers as FiboSMS hands them on: `GET` with `message`, `phone` and `guid`,
//! answered with XML. Its book has each message once, by its guid, however often it comes.

use std::{
    collections::{BTreeMap, VecDeque},
    future::pending,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::locked;

/// What goes wrong with one call. The message is in the book all the same: a partner may have taken what he
/// did not answer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartnerFault {
    /// He says that it failed.
    StatusOne,
    /// He answers what is no XML.
    BadXml,
    /// He answers with that HTTP status.
    Http(u16),
    /// He never answers.
    Silence,
}

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// From whom.
    pub phone: String,
    /// Its text.
    pub message: String,
    /// How often it came.
    pub calls: u32,
}

#[derive(Default)]
struct Desk {
    faults: VecDeque<PartnerFault>,
    messages: BTreeMap<String, Handed>,
}

/// A running partner; he is gone when he is dropped.
pub struct Partner {
    address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    task: JoinHandle<()>,
}

impl Drop for Partner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Partner {
    /// Opens a page on this machine, at a port that the system chooses, whose first calls meet these faults.
    ///
    /// # Errors
    /// No port can be bound.
    pub async fn open(faults: impl IntoIterator<Item = PartnerFault>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let desk = Arc::new(Mutex::new(Desk {
            faults: faults.into_iter().collect(),
            messages: BTreeMap::new(),
        }));
        let router = Router::new().fallback(take).with_state(desk.clone());
        let task = tokio::spawn(async move {
            // It ends with its partner.
            axum::serve(listener, router).await.ok();
        });
        Ok(Self {
            address,
            desk,
            task,
        })
    }

    /// Where messages go.
    pub fn url(&self) -> String {
        format!("http://{}/sms", self.address)
    }

    /// The messages, by their guids.
    pub fn messages(&self) -> BTreeMap<String, Handed> {
        locked(&self.desk).messages.clone()
    }
}

async fn take(State(desk): State<Arc<Mutex<Desk>>>, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default().as_bytes();
    let field = |name: &str| {
        let mut fields = form_urlencoded::parse(query);
        let found = fields.find(|(field, _)| field == name);
        found.map(|(_, value)| value.into_owned())
    };
    let (Some(guid), Some(phone), Some(message)) =
        (field("guid"), field("phone"), field("message"))
    else {
        return status("1");
    };
    let fault = {
        let mut desk = locked(&desk);
        let handed = Handed {
            phone,
            message,
            calls: 0,
        };
        desk.messages.entry(guid).or_insert(handed).calls += 1;
        desk.faults.pop_front()
    };
    match fault {
        None => status("2"),
        Some(PartnerFault::StatusOne) => status("1"),
        Some(PartnerFault::BadXml) => "<Status>2".into_response(),
        Some(PartnerFault::Http(code)) => {
            let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            code.into_response()
        }
        Some(PartnerFault::Silence) => pending().await,
    }
}

fn status(number: &str) -> Response {
    let xml = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><Status>{number}</Status>");
    ([(header::CONTENT_TYPE, "text/xml")], xml).into_response()
}
