//! Dialogues of two sessions over a virtual wire and a virtual clock, and of one session with a
//! peer that is played by hand.

mod bind;
mod exchange;
mod lifetime;

use std::time::{Duration, Instant};

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::smpp::address::Address;
use crate::smpp::codec::take_frame;
use crate::smpp::octets::{COctetString, MessageId, Password, ShortMessage};
use crate::smpp::pdu::{
    Bind, BindResp, DeliverSm, DeliverSmResp, Outbind, Pdu, SubmitSm, SubmitSmResp,
};
use crate::smpp::tlv::Tlvs;

const OK: CommandStatus = CommandStatus::ESME_ROK;

fn limits() -> SessionLimits {
    SessionLimits {
        bind_timeout: Duration::from_secs(10),
        enquire_link_period: Duration::from_secs(30),
        unbind_grace: Duration::from_secs(5),
        frame_octets_max: 1024,
    }
}

fn bind(kind: BindKind) -> Bind {
    Bind {
        kind,
        system_id: COctetString::new("shop").unwrap(),
        password: Password::new("secret").unwrap(),
        system_type: COctetString::EMPTY,
        interface_version: INTERFACE_VERSION_3_4,
        address_range: Address::default(),
    }
}

fn esme(kind: BindKind) -> Session {
    Session::esme(SessionSettings {
        bind: bind(kind),
        limits: limits(),
    })
}

fn smsc(admission: Admission) -> Session {
    let system_id = COctetString::new("SMSC").unwrap();
    let interface_version = Some(INTERFACE_VERSION_3_4);
    Session::smsc(SmscSettings {
        system_id,
        interface_version,
        admission,
        limits: limits(),
    })
}

fn submit_sm() -> SubmitSm {
    SubmitSm {
        destination: Address::international("84912345678").unwrap(),
        short_message: ShortMessage::new("hello").unwrap(),
        ..SubmitSm::default()
    }
}

fn events(session: &mut Session) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

/// What the session has written since the last look: command, status, sequence number.
fn written(session: &mut Session) -> Vec<(CommandId, CommandStatus, u32)> {
    let output = session.output();
    std::iter::from_fn(|| take_frame(output, 1 << 20).unwrap())
        .map(|frame| frame.header)
        .map(|header| {
            (
                header.command_id,
                header.command_status,
                header.sequence_number,
            )
        })
        .collect()
}

fn pdu(pdu: &impl Encode, sequence: u32, status: CommandStatus) -> BytesMut {
    let mut out = BytesMut::new();
    pdu.encode(sequence, status, &mut out);
    out
}

/// Two ends of one wire, and the time.
struct Pair {
    now: Instant,
    esme: Session,
    smsc: Session,
}

impl Pair {
    fn connected(kind: BindKind, admission: Admission) -> Self {
        let mut pair = Self {
            now: Instant::now(),
            esme: esme(kind),
            smsc: smsc(admission),
        };
        pair.smsc.connected(pair.now);
        pair.esme.connected(pair.now);
        pair.exchange();
        pair
    }

    fn bound(kind: BindKind) -> Self {
        let mut pair = Self::connected(kind, Admission::Anyone);
        events(&mut pair.esme);
        events(&mut pair.smsc);
        pair
    }

    /// Carries octets both ways until neither end has anything to say.
    fn exchange(&mut self) {
        loop {
            let mut to_smsc = self.esme.output().split();
            let mut to_esme = self.smsc.output().split();
            if to_smsc.is_empty() && to_esme.is_empty() {
                return;
            }
            self.smsc.receive(self.now, &mut to_smsc, usize::MAX);
            self.esme.receive(self.now, &mut to_esme, usize::MAX);
        }
    }

    /// Lets time pass from one timeout to the next, with the wire up.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let next = [self.esme.next_timeout(), self.smsc.next_timeout()];
            match next.into_iter().flatten().min().filter(|&at| at <= end) {
                Some(at) => self.now = at,
                None => break,
            }
            self.esme.handle_timeout(self.now);
            self.smsc.handle_timeout(self.now);
            self.exchange();
        }
        self.now = end;
    }
}

/// An ESME that is bound to a peer played by hand.
fn bound_esme(now: Instant) -> Session {
    let mut session = esme(BindKind::Transceiver);
    session.connected(now);
    let response = BindResp {
        kind: BindKind::Transceiver,
        system_id: COctetString::EMPTY,
        tlvs: Tlvs::EMPTY,
    };
    session.receive(now, &mut pdu(&response, 1, OK), 1);
    events(&mut session);
    written(&mut session);
    session
}
