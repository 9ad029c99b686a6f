//! The rules between message routes, and between them and the clients: what no message can tell
//! apart, what no message ever reaches, who does not exist.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use super::{
    form,
    reader::{Document, Item, Place},
    rpc::{Credentials, ReadClient},
};
use crate::{client::ClientName, route::Conditions, rpc::settings::RpcSettings};

/// The prefixes that message routes claim, each under the conditions of its route.
#[derive(Default)]
pub(super) struct Claims(BTreeMap<String, Vec<Claim>>);

struct Claim {
    place: Place,
    conditions: Arc<Conditions>,
}

impl Claims {
    /// Notes the prefixes of the next route in the file.
    pub(super) fn take(&mut self, prefixes: &[(String, Place)], conditions: &Conditions) {
        let conditions = Arc::new(conditions.clone());
        for (prefix, place) in prefixes {
            self.0.entry(prefix.clone()).or_default().push(Claim {
                place: place.clone(),
                conditions: Arc::clone(&conditions),
            });
        }
    }

    /// Finds the routes of each prefix of which a message never takes the later one.
    pub(super) fn settle(self, document: &Document) {
        for (prefix, mut claims) in self.0 {
            // Stable: of as many conditions, the first in the file is looked at first.
            claims.sort_by_key(|claim| Reverse(claim.conditions.count()));
            for (place, later) in claims.iter().enumerate() {
                let covers = |earlier: &&Claim| earlier.conditions.covers(&later.conditions);
                if let Some(earlier) = claims.iter().take(place).find(covers) {
                    later.object(document, &prefix, earlier);
                }
            }
        }
    }
}

impl Claim {
    fn object(&self, document: &Document, prefix: &str, earlier: &Self) {
        let line = earlier.place.line();
        let are_alike = self.conditions.covers(&earlier.conditions);
        if are_alike {
            let what = format!("{prefix:?} is taken already in line {line}");
            let has_conditions = self.conditions.count() > 0;
            let hint = "no message can tell the two routes apart".to_owned();
            document.fault(&self.place, what, has_conditions.then_some(hint));
        } else {
            let what = format!("no message to {prefix:?} ever takes this route");
            let hint = format!("what meets its conditions meets those of line {line} before");
            document.warn(&self.place, what, Some(hint));
        }
    }
}

/// Who may call: the clients, as far as the file says.
pub(super) struct Callers {
    names: Vec<ClientName>,
    /// Whether a client that is not in the file cannot call.
    are_all: bool,
    /// Whether nothing can be said, because the sections have faults of their own.
    is_unsure: bool,
}

impl Callers {
    pub(super) fn new(
        rpc: Option<&RpcSettings>,
        credentials: &Credentials,
        clients: &[ReadClient],
    ) -> Self {
        let names = clients.iter().map(|client| client.settings.name.clone());
        Self {
            names: names.collect(),
            are_all: rpc.is_some_and(|rpc| rpc.listen.is_open_to_the_network()),
            is_unsure: rpc.is_none() || credentials.clients != clients.len(),
        }
    }

    /// Objects to names that no client has.
    pub(super) fn check(&self, elements: &[Item<'_>]) {
        // On a trusted machine callers name themselves, and a file may list none of them.
        if self.is_unsure || (self.names.is_empty() && !self.are_all) {
            return;
        }
        for element in elements {
            let Some(name) = element.quietly(form::client_name) else {
                continue;
            };
            if self.names.contains(&name) {
                continue;
            }
            let shown = format!("\"{name}\" is the name of no [[client]]");
            match self.are_all {
                true => element.fault(shown, None),
                false => element.warn(
                    shown,
                    Some("only a caller on this machine can give itself that name".into()),
                ),
            }
        }
    }
}
