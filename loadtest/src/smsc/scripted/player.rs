//! One connection of a scripted SMSC.
//!
//! Rules turn each PDU into things to do, which are done in their order; meanwhile reading goes on.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::seen::{Seen, name_of};
use crate::locked;
use crate::smsc::codes::{RESPONSE, command, tag};
use crate::smsc::scenario::{Action, Deliver, Respond, Scenario, octets_of};
use crate::smsc::wire::{self, Address, Header};

/// Room made for each read.
const READ_BYTES: usize = 64 * 1024;
/// The first message_id, so that its decimal and hexadecimal forms differ.
const ID_FIRST: u64 = 1_000_000;
/// The bind_resp's TLV of a 3.4 SMSC.
const INTERFACE_VERSION: u8 = 0x34;

/// What is still to be done.
enum Doing {
    Write(BytesMut),
    Pause(Duration),
    HalfClose,
    Cut,
    Reset,
}

/// An answer that is kept for later.
struct Held {
    request: Header,
    id: u64,
}

pub(super) struct Player {
    stream: TcpStream,
    number: usize,
    scenario: Arc<Scenario>,
    seen: Arc<Mutex<Seen>>,
    input: BytesMut,
    doing: VecDeque<Doing>,
    /// Until when the pause at the front of `doing` lasts.
    pause_until: Option<Instant>,
    trickle: Option<Duration>,
    deaf: bool,
    /// PDUs so far, by name.
    counts: BTreeMap<String, u64>,
    held: Vec<Held>,
    used: HashSet<u32>,
    sequence: u32,
    last_id: u64,
}

impl Player {
    pub(super) fn new(
        stream: TcpStream,
        number: usize,
        scenario: Arc<Scenario>,
        seen: Arc<Mutex<Seen>>,
    ) -> Self {
        Self {
            stream,
            number,
            scenario,
            seen,
            input: BytesMut::new(),
            doing: VecDeque::new(),
            pause_until: None,
            trickle: None,
            deaf: false,
            counts: BTreeMap::new(),
            held: Vec::new(),
            used: HashSet::new(),
            sequence: 0,
            last_id: ID_FIRST * (number as u64 + 1),
        }
    }

    /// Plays until either side ends the connection. How it ended is the scenario's affair.
    pub(super) async fn play(mut self) {
        // Without it a segment could wait for the acknowledgement of the one before.
        self.stream.set_nodelay(true).ok();
        let connected = Header {
            command: 0,
            status: 0,
            sequence: 0,
        };
        self.follow_rules("connect", connected);
        while self.turn().await.is_ok_and(|goes_on| goes_on) {}
    }

    /// Does one thing, or reads once; false at the end.
    async fn turn(&mut self) -> io::Result<bool> {
        let front = self.doing.front_mut();
        let mut is_writing = false;
        match front {
            Some(Doing::Cut) => return Ok(false),
            Some(Doing::Reset) => {
                self.stream.set_zero_linger()?;
                return Ok(false);
            }
            Some(Doing::HalfClose) => {
                self.doing.pop_front();
                self.stream.shutdown().await?;
                return Ok(true);
            }
            Some(Doing::Pause(duration)) => {
                let end = Instant::now() + *duration;
                self.pause_until.get_or_insert(end);
            }
            Some(Doing::Write(bytes)) if bytes.is_empty() => {
                self.doing.pop_front();
                return Ok(true);
            }
            Some(Doing::Write(_)) => is_writing = true,
            None => {}
        }
        let pause_until = self.pause_until;
        let stream = &self.stream;
        tokio::select! {
            ready = stream.writable(), if is_writing => {
                ready?;
                self.write()?;
            }
            ready = stream.readable(), if !self.deaf => {
                ready?;
                return self.read();
            }
            () = pause(pause_until), if pause_until.is_some() => {
                self.pause_until = None;
                self.doing.pop_front();
            }
            () = std::future::pending(), if self.deaf => {}
        }
        Ok(true)
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(Doing::Write(bytes)) = self.doing.front_mut() else {
            return Ok(());
        };
        match self.stream.try_write(bytes) {
            Ok(written) => bytes.advance(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn read(&mut self) -> io::Result<bool> {
        self.input.reserve(READ_BYTES);
        match self.stream.try_read_buf(&mut self.input) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        }
        while !self.deaf {
            let header = match wire::frame(&self.input) {
                Ok(Some((header, _))) => header,
                Ok(None) => break,
                // The router never sends such a thing; the count of it would fail any scenario.
                Err(_) => {
                    locked(&self.seen).count("unreadable");
                    return Ok(false);
                }
            };
            let length = self.input.get_u32() as usize;
            self.input.advance(length - 4);
            self.on_pdu(header);
        }
        Ok(true)
    }

    fn on_pdu(&mut self, header: Header) {
        let name = name_of(header);
        let is_request = header.command & RESPONSE == 0;
        {
            let mut seen = locked(&self.seen);
            seen.take_down(&name, header);
            if is_request && !self.used.insert(header.sequence) {
                seen.count("reused_sequences");
            }
        }
        self.follow_rules(&name, header);
    }

    fn follow_rules(&mut self, name: &str, header: Header) {
        let count = {
            let count = self.counts.entry(name.to_owned()).or_default();
            *count += 1;
            *count
        };
        let scenario = Arc::clone(&self.scenario);
        let rules = scenario.rules(self.number);
        match rules.iter().find(|rule| rule.fits(name, count)) {
            Some(rule) => {
                for action in &rule.actions {
                    self.act(action, header);
                }
            }
            None => self.act_by_the_standard(name, header),
        }
    }

    fn act_by_the_standard(&mut self, name: &str, header: Header) {
        if name == "connect" || header.command & RESPONSE != 0 {
            return;
        }
        self.respond(
            &Respond {
                times: 1,
                ..Respond::default()
            },
            header,
        );
        if name == "unbind" {
            self.doing.push_back(Doing::Cut);
        }
    }

    fn act(&mut self, action: &Action, header: Header) {
        match action {
            Action::Respond(respond) => self.respond(respond, header),
            Action::Hold => {
                let id = self.next_id();
                self.held.push(Held {
                    request: header,
                    id,
                });
            }
            Action::Release => self.release(false),
            Action::ReleaseReversed => self.release(true),
            Action::Send(send) => {
                let sequence = self.number_or_next(send.sequence);
                let body = octets_of(&send.body).unwrap_or_default();
                let mut out = BytesMut::new();
                wire::put_pdu(&mut out, send.command, send.status, sequence, |out| {
                    out.extend_from_slice(&body);
                });
                self.write_later(out);
            }
            Action::Deliver(deliver) => self.deliver(deliver),
            Action::Raw(hex) => {
                let octets = octets_of(hex).unwrap_or_default();
                self.write_later(BytesMut::from(octets.as_slice()));
            }
            Action::PauseMs(ms) => {
                let pause = Duration::from_millis(*ms);
                self.doing.push_back(Doing::Pause(pause));
            }
            Action::TrickleMs(ms) => self.trickle = Some(Duration::from_millis(*ms)),
            Action::Deaf => self.deaf = true,
            Action::HalfClose => self.doing.push_back(Doing::HalfClose),
            Action::Cut => self.doing.push_back(Doing::Cut),
            Action::Reset => self.doing.push_back(Doing::Reset),
        }
    }

    fn respond(&mut self, respond: &Respond, request: Header) {
        let id = self.next_id();
        let mut out = BytesMut::new();
        for _ in 0..respond.times {
            put_response(&mut out, respond, request, id);
        }
        self.write_later(out);
    }

    fn release(&mut self, reversed: bool) {
        let mut held = std::mem::take(&mut self.held);
        if reversed {
            held.reverse();
        }
        let mut out = BytesMut::new();
        for Held { request, id } in held {
            put_response(&mut out, &Respond::default(), request, id);
        }
        self.write_later(out);
    }

    fn deliver(&mut self, deliver: &Deliver) {
        let text = deliver
            .text
            .replace("{id}", &self.last_id.to_string())
            .replace("{hex}", &format!("{:X}", self.last_id))
            .replace("{padded}", &format!("{:010}", self.last_id));
        let tlvs = octets_of(&deliver.tlvs).unwrap_or_default();
        let (source, dest) = (Address::new(&deliver.source), Address::new("8049"));
        let mut out = BytesMut::new();
        for _ in 0..deliver.times {
            let sequence = self.number_or_next(deliver.sequence);
            wire::put_pdu(&mut out, command::DELIVER_SM, 0, sequence, |out| {
                let Deliver {
                    esm_class,
                    data_coding,
                    ..
                } = *deliver;
                wire::put_deliver_sm(out, &source, &dest, esm_class, data_coding, text.as_bytes());
                out.extend_from_slice(&tlvs);
            });
        }
        self.write_later(out);
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn number_or_next(&mut self, number: Option<u32>) -> u32 {
        number.unwrap_or_else(|| {
            self.sequence += 1;
            self.sequence
        })
    }

    fn write_later(&mut self, mut octets: BytesMut) {
        match (self.trickle, self.doing.back_mut()) {
            (Some(pause), _) => {
                while !octets.is_empty() {
                    self.doing.push_back(Doing::Write(octets.split_to(1)));
                    self.doing.push_back(Doing::Pause(pause));
                }
            }
            // One write is one segment, as far as there is room for it.
            (None, Some(Doing::Write(before))) => before.unsplit(octets),
            (None, _) => self.doing.push_back(Doing::Write(octets)),
        }
    }
}

async fn pause(until: Option<Instant>) {
    if let Some(until) = until {
        sleep_until(until).await;
    }
}

fn put_response(out: &mut BytesMut, respond: &Respond, request: Header, id: u64) {
    let right = request.command | RESPONSE;
    let command = respond.command.unwrap_or(right);
    let sequence = respond.sequence.unwrap_or(request.sequence);
    wire::put_pdu(out, command, respond.status, sequence, |out| {
        if let Some(body) = &respond.body {
            out.extend_from_slice(&octets_of(body).unwrap_or_default());
        } else if respond.status == 0 {
            put_right_body(out, request.command, respond.id.as_deref(), id);
        }
    });
}

fn put_right_body(out: &mut BytesMut, request: u32, id_text: Option<&str>, id: u64) {
    match request {
        command::BIND_RECEIVER | command::BIND_TRANSMITTER | command::BIND_TRANSCEIVER => {
            wire::put_c_octets(out, b"SCRIPTED");
            wire::put_tlv(out, tag::SC_INTERFACE_VERSION, &[INTERFACE_VERSION]);
        }
        command::SUBMIT_SM | command::SUBMIT_MULTI | command::DATA_SM => match id_text {
            Some(text) => wire::put_c_octets(out, text.as_bytes()),
            None => wire::put_c_octets(out, id.to_string().as_bytes()),
        },
        _ => {}
    }
}
