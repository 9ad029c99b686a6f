//! The list of all connections, for operators: what `rpc`, the metrics and the status page show.

use std::sync::Arc;

use crate::{
    link::{BankJob, Shared, SmscJob},
    pool::Pool,
    status::LinkStatus,
    tap::Listener,
};

/// No peer or link of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no link {0}; `sampan links` lists those that are")]
pub struct UnknownLink(pub String);

/// No SMSC or link of one has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no SMSC and no link to one named {0}; `sampan links` lists those that are, and links \
     to banks are not traced"
)]
pub struct NotTraced(pub String);

/// All links of all peers.
#[derive(Default)]
pub struct Links {
    smscs: Vec<Arc<Pool<SmscJob>>>,
    banks: Vec<Arc<Pool<BankJob>>>,
}

impl Links {
    /// The links of these pools.
    pub fn new(smscs: Vec<Arc<Pool<SmscJob>>>, banks: Vec<Arc<Pool<BankJob>>>) -> Self {
        Self { smscs, banks }
    }

    /// All links, or those of one peer.
    ///
    /// # Errors
    /// There is no such peer.
    pub fn list(&self, peer: Option<&str>) -> Result<Vec<LinkStatus>, UnknownLink> {
        let statuses: Vec<LinkStatus> =
            self.handles(peer, None).map(|link| link.status()).collect();
        match (peer, statuses.is_empty()) {
            (Some(peer), true) => Err(UnknownLink(peer.to_owned())),
            _ => Ok(statuses),
        }
    }

    /// Stops new traffic on one link, or on all of the peer; what is in flight is finished.
    ///
    /// # Errors
    /// There is no such link.
    pub fn drain(&self, peer: &str, link: Option<&str>) -> Result<Vec<LinkStatus>, UnknownLink> {
        self.each(peer, link, |link| link.drain())
    }

    /// Takes one link, or all of the peer, back into service.
    ///
    /// # Errors
    /// There is no such link.
    pub fn resume(&self, peer: &str, link: Option<&str>) -> Result<Vec<LinkStatus>, UnknownLink> {
        self.each(peer, link, |link| link.resume())
    }

    /// Lets a new listener hear what passes on the links of all SMSCs, of one SMSC, or on one link:
    /// all of it, or with a `number` what concerns that. It ends when it is dropped.
    ///
    /// # Errors
    /// There is no such SMSC and no such link of one.
    pub fn trace(&self, link: Option<&str>, number: &str) -> Result<Arc<Listener>, NotTraced> {
        let listener = Listener::new(number);
        let links = self.smscs.iter().flat_map(|pool| pool.links());
        let chosen = links.filter(|shared| {
            link.is_none_or(|link| link == &*shared.settings.peer || link == &*shared.name)
        });
        let count = chosen.map(|shared| shared.tap.attach(&listener)).count();
        match (link, count) {
            (Some(link), 0) => Err(NotTraced(link.to_owned())),
            _ => Ok(listener),
        }
    }

    fn each(
        &self,
        peer: &str,
        link: Option<&str>,
        act: impl Fn(&Handle<'_>),
    ) -> Result<Vec<LinkStatus>, UnknownLink> {
        let handles: Vec<Handle<'_>> = self.handles(Some(peer), link).collect();
        if handles.is_empty() {
            return Err(UnknownLink(link.unwrap_or(peer).to_owned()));
        }
        handles.iter().for_each(act);
        Ok(handles.iter().map(Handle::status).collect())
    }

    fn handles(&self, peer: Option<&str>, link: Option<&str>) -> impl Iterator<Item = Handle<'_>> {
        let smscs = self.smscs.iter().flat_map(|pool| pool.links());
        let banks = self.banks.iter().flat_map(|pool| pool.links());
        smscs
            .map(|link| Handle::Smsc(link))
            .chain(banks.map(|link| Handle::Bank(link)))
            .filter(move |handle| {
                let (own_peer, own_link) = handle.names();
                peer.is_none_or(|peer| peer == own_peer) && link.is_none_or(|link| link == own_link)
            })
    }
}

/// A link of either kind.
enum Handle<'a> {
    Smsc(&'a Shared<SmscJob>),
    Bank(&'a Shared<BankJob>),
}

impl Handle<'_> {
    fn names(&self) -> (&str, &str) {
        match self {
            Self::Smsc(link) => (&link.settings.peer, &link.name),
            Self::Bank(link) => (&link.settings.peer, &link.name),
        }
    }

    fn status(&self) -> LinkStatus {
        match self {
            Self::Smsc(link) => link.status(),
            Self::Bank(link) => link.status(),
        }
    }

    fn drain(&self) {
        match self {
            Self::Smsc(link) => link.drain(),
            Self::Bank(link) => link.drain(),
        }
    }

    fn resume(&self) {
        match self {
            Self::Smsc(link) => link.resume(),
            Self::Bank(link) => link.resume(),
        }
    }
}
