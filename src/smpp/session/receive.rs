//! What a session does with each PDU of the peer.

use std::time::Instant;

use bytes::BytesMut;

use super::{
    BindRefusal, CloseReason, Event, Liveness, Oddity, Phase, Received, Role, Sequence, Session,
    Side, permits,
};
use crate::smpp::codec::{Frame, Header, put_frame, take_frame};
use crate::smpp::command::CommandId;
use crate::smpp::pdu::{
    Bind, BindKind, BindResp, Encode, EnquireLinkResp, GenericNack, Pdu, UnbindResp,
};
use crate::smpp::status::CommandStatus;
use crate::smpp::tlv::{Tag, Tlvs};
use crate::smpp::wire::DecodeError;

impl Session {
    /// Consumes whole frames of `input`, at most `frames_max`, so that a turn is bounded. A closed
    /// session consumes nothing.
    pub fn receive(&mut self, now: Instant, input: &mut BytesMut, frames_max: usize) -> Received {
        let mut frames = 0;
        while frames < frames_max && !self.is_closed() {
            match take_frame(input, self.limits.frame_octets_max) {
                Ok(Some(frame)) => {
                    frames += 1;
                    self.handle_frame(now, &frame);
                }
                Ok(None) => break,
                Err(error) => {
                    let status = CommandStatus::ESME_RINVCMDLEN;
                    GenericNack.encode(0, status, &mut self.output);
                    self.close(CloseReason::BadFrame(error));
                }
            }
        }
        if frames > 0
            && let Phase::Bound { liveness, .. } = &mut self.phase
        {
            *liveness = Liveness::heard(now);
        }
        Received {
            frames,
            more: frames == frames_max && !input.is_empty() && !self.is_closed(),
        }
    }

    fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    #[inline]
    fn handle_frame(&mut self, now: Instant, frame: &Frame) {
        let Header {
            command_id,
            sequence_number,
            ..
        } = frame.header;
        match command_id {
            CommandId::ENQUIRE_LINK => {
                self.respond(sequence_number, CommandStatus::ESME_ROK, &EnquireLinkResp);
            }
            CommandId::ENQUIRE_LINK_RESP => {
                if !self.is_own(self.enquire_link, frame) {
                    self.ignore_response(frame);
                }
            }
            CommandId::UNBIND => self.handle_unbind(now, frame),
            CommandId::UNBIND_RESP => match self.phase {
                Phase::Unbinding { .. } => self.close(CloseReason::Unbound),
                _ => self.ignore_response(frame),
            },
            CommandId::GENERIC_NACK => self.handle_nack(frame),
            CommandId::OUTBIND => self.handle_outbind(now, frame),
            CommandId::BIND_TRANSMITTER
            | CommandId::BIND_RECEIVER
            | CommandId::BIND_TRANSCEIVER => self.handle_bind(now, frame),
            CommandId::BIND_TRANSMITTER_RESP
            | CommandId::BIND_RECEIVER_RESP
            | CommandId::BIND_TRANSCEIVER_RESP => self.handle_bind_resp(now, frame),
            _ if command_id.name().is_none() => self.handle_unknown(frame),
            _ if command_id.is_response() => self.handle_response(frame),
            _ => self.handle_request(frame),
        }
    }

    fn is_own(&self, sequence: Option<Sequence>, frame: &Frame) -> bool {
        sequence.is_some_and(|sequence| sequence.get() == frame.header.sequence_number)
    }

    #[inline]
    fn handle_response(&mut self, frame: &Frame) {
        let Header {
            command_id: command,
            command_status: status,
            sequence_number: sequence,
        } = frame.header;
        match self.phase {
            Phase::Bound { .. } | Phase::Unbinding { .. } | Phase::PeerUnbinding { .. } => {
                let pdu = Pdu::decode(frame);
                self.events.push_back(Event::Response {
                    sequence,
                    command,
                    status,
                    pdu,
                });
            }
            _ => self.ignore_response(frame),
        }
    }

    fn handle_request(&mut self, frame: &Frame) {
        let Header {
            command_id: command,
            sequence_number: sequence,
            ..
        } = frame.header;
        if !self.peer_may_send(command) {
            let state = self.state();
            self.refuse(frame, CommandStatus::ESME_RINVBNDSTS);
            self.ignore(Oddity::OutOfState {
                command,
                sequence,
                state,
            });
            return;
        }
        let event = match Pdu::decode(frame) {
            Ok(Pdu::SubmitSm(submit_sm)) => Event::Submit {
                sequence,
                submit_sm,
            },
            Ok(Pdu::DeliverSm(deliver_sm)) => Event::Deliver {
                sequence,
                deliver_sm,
            },
            Ok(Pdu::DataSm(data_sm)) => Event::Data { sequence, data_sm },
            Ok(Pdu::AlertNotification(alert)) => Event::Alert(alert),
            Ok(pdu) => Event::Request { sequence, pdu },
            Err(error) => {
                self.refuse_undecodable(frame, error);
                return;
            }
        };
        self.events.push_back(event);
    }

    /// The peer's requests are read as long as the session stands, after an unbind too. An SMSC
    /// may deliver before its bind_resp has overtaken the message.
    fn peer_may_send(&self, command: CommandId) -> bool {
        let (sender, asked) = match &self.side {
            Side::Esme(settings) => (Role::Smsc, Some(settings.bind.kind)),
            Side::Smsc(_) => (Role::Esme, None),
        };
        let kind = match self.phase {
            Phase::AwaitingBindResponse { .. } => asked,
            Phase::Bound { kind, .. }
            | Phase::Unbinding { kind, .. }
            | Phase::PeerUnbinding { kind, .. } => Some(kind),
            _ => None,
        };
        kind.is_some_and(|kind| permits(sender, kind, command))
    }

    /// A message that cannot be read is refused for good, or it would stay at the head of the
    /// SMSC's queue.
    fn refuse_undecodable(&mut self, frame: &Frame, error: DecodeError) {
        let status = match self.role() {
            Role::Esme => CommandStatus::ESME_RX_R_APPN,
            Role::Smsc => error.status(),
        };
        self.refuse(frame, status);
        self.ignore(Oddity::Undecodable {
            sequence: frame.header.sequence_number,
            error,
        });
    }

    /// Answers a request with an error status and no body.
    fn refuse(&mut self, frame: &Frame, command_status: CommandStatus) {
        let Header {
            command_id,
            sequence_number,
            ..
        } = frame.header;
        if matches!(
            command_id,
            CommandId::ALERT_NOTIFICATION | CommandId::OUTBIND
        ) {
            return;
        }
        let header = Header {
            command_id: command_id.response(),
            command_status,
            sequence_number,
        };
        put_frame(&mut self.output, header, |_| {});
    }

    fn handle_unknown(&mut self, frame: &Frame) {
        let Header {
            command_id: command,
            sequence_number: sequence,
            ..
        } = frame.header;
        // To answer an answer could go on for ever.
        if !command.is_response() {
            let status = CommandStatus::ESME_RINVCMDID;
            GenericNack.encode(sequence, status, &mut self.output);
        }
        self.ignore(Oddity::UnknownCommand { command, sequence });
    }

    fn handle_unbind(&mut self, now: Instant, frame: &Frame) {
        self.respond(
            frame.header.sequence_number,
            CommandStatus::ESME_ROK,
            &UnbindResp,
        );
        match self.phase {
            Phase::Bound { kind, .. } => {
                let deadline = now + self.limits.unbind_grace;
                self.phase = Phase::PeerUnbinding { kind, deadline };
                self.events.push_back(Event::PeerUnbinding);
            }
            // Both unbound at once: ours is still to be answered. Or the peer repeats itself.
            Phase::Unbinding { .. } | Phase::PeerUnbinding { .. } => {}
            _ => self.close(CloseReason::PeerUnbound),
        }
    }

    fn handle_nack(&mut self, frame: &Frame) {
        let Header {
            command_status: status,
            sequence_number: sequence,
            ..
        } = frame.header;
        match self.phase {
            Phase::AwaitingBindResponse { sequence: bind, .. } if bind.get() == sequence => {
                self.bind_refused(status);
            }
            Phase::Unbinding {
                sequence: unbind, ..
            } if unbind.get() == sequence => {
                self.close(CloseReason::Unbound);
            }
            _ if sequence == 0 => self.events.push_back(Event::SessionNack { status }),
            // A peer that does not know enquire_link is alive all the same.
            _ if self.is_own(self.enquire_link, frame) => {}
            _ => self.events.push_back(Event::Nack { sequence, status }),
        }
    }

    fn handle_outbind(&mut self, now: Instant, frame: &Frame) {
        let Header {
            command_id: command,
            sequence_number: sequence,
            ..
        } = frame.header;
        if !matches!(self.phase, Phase::AwaitingOutbind { .. }) {
            let state = self.state();
            self.ignore(Oddity::OutOfState {
                command,
                sequence,
                state,
            });
            return;
        }
        match Pdu::decode(frame) {
            Ok(Pdu::Outbind(outbind)) => {
                self.send_bind(now);
                self.events.push_back(Event::Outbind(outbind));
            }
            Ok(_) => {}
            Err(error) => self.ignore(Oddity::Undecodable { sequence, error }),
        }
    }

    fn handle_bind_resp(&mut self, now: Instant, frame: &Frame) {
        let Header {
            command_id,
            command_status: status,
            sequence_number,
        } = frame.header;
        let asked = match (&self.side, self.phase) {
            (Side::Esme(settings), Phase::AwaitingBindResponse { sequence, .. })
                if sequence.get() == sequence_number =>
            {
                settings.bind.kind
            }
            _ => return self.ignore_response(frame),
        };
        if command_id != asked.command_id().response() {
            return self.ignore_response(frame);
        }
        if !status.is_ok() {
            return self.bind_refused(status);
        }
        // The bind stands whatever else the response says.
        let (system_id, interface_version) = match Pdu::decode(frame) {
            Ok(Pdu::BindResp(response)) => {
                (response.system_id, response.tlvs.sc_interface_version())
            }
            Ok(_) => Default::default(),
            Err(error) => {
                self.ignore(Oddity::Undecodable {
                    sequence: sequence_number,
                    error,
                });
                Default::default()
            }
        };
        self.phase = Phase::Bound {
            kind: asked,
            liveness: Liveness::heard(now),
        };
        self.events.push_back(Event::Bound {
            kind: asked,
            system_id,
            interface_version,
        });
    }

    fn bind_refused(&mut self, status: CommandStatus) {
        let class = BindRefusal::of(status);
        self.events.push_back(Event::BindRefused { status, class });
        self.close(CloseReason::BindRefused(status));
    }

    fn handle_bind(&mut self, now: Instant, frame: &Frame) {
        let Header {
            command_id: command,
            sequence_number: sequence,
            ..
        } = frame.header;
        if !matches!(
            (&self.side, self.phase),
            (Side::Smsc(_), Phase::AwaitingBind { .. })
        ) {
            let (state, status) = match self.role() {
                Role::Esme => (self.state(), CommandStatus::ESME_RINVBNDSTS),
                Role::Smsc => (self.state(), CommandStatus::ESME_RALYBND),
            };
            self.refuse(frame, status);
            self.ignore(Oddity::OutOfState {
                command,
                sequence,
                state,
            });
            return;
        }
        match Pdu::decode(frame) {
            Ok(Pdu::Bind(bind)) => self.judge_bind(now, sequence, &bind),
            Ok(_) => {}
            Err(error) => self.refuse_undecodable(frame, error),
        }
    }

    fn judge_bind(&mut self, now: Instant, sequence: u32, bind: &Bind) {
        let Side::Smsc(settings) = &self.side else {
            return;
        };
        let status = settings.admission.judge(bind);
        let response = bind_resp(bind.kind, settings.system_id, settings.interface_version);
        if !status.is_ok() {
            let nothing = BindResp {
                system_id: Default::default(),
                tlvs: Tlvs::EMPTY,
                ..response
            };
            self.respond(sequence, status, &nothing);
            let class = BindRefusal::of(status);
            self.events.push_back(Event::BindRefused { status, class });
            return;
        }
        self.respond(sequence, status, &response);
        self.phase = Phase::Bound {
            kind: bind.kind,
            liveness: Liveness::heard(now),
        };
        self.events.push_back(Event::Bound {
            kind: bind.kind,
            system_id: bind.system_id,
            interface_version: Some(bind.interface_version),
        });
    }

    fn ignore_response(&mut self, frame: &Frame) {
        let Header {
            command_id: command,
            command_status: status,
            sequence_number: sequence,
        } = frame.header;
        self.ignore(Oddity::UnexpectedResponse {
            command,
            sequence,
            status,
        });
    }

    fn ignore(&mut self, oddity: Oddity) {
        self.events.push_back(Event::Ignored(oddity));
    }
}

fn bind_resp(
    kind: BindKind,
    system_id: crate::smpp::octets::COctetString<16>,
    interface_version: Option<u8>,
) -> BindResp {
    let tlvs = interface_version
        .map(|version| Tlvs::EMPTY.with(Tag::SC_INTERFACE_VERSION, &[version]))
        .and_then(Result::ok)
        .unwrap_or_default();
    BindResp {
        kind,
        system_id,
        tlvs,
    }
}
