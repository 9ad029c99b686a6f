//! ISO 8583: the codec in two dialects, the window, and the whole way of a payment.

use std::{hint::black_box, sync::Arc, time::Instant};

use bytes::{Bytes, BytesMut};
use time::OffsetDateTime;

use crate::iso8583::mti::Class;
use crate::iso8583::session::{Event, Now, Session, SessionSettings};
use crate::iso8583::stan::{Stan, Stans};
use crate::iso8583::{Dialect, Message, Mti};
use crate::window::{Keyed, Window};
use crate::{TIMES, named};

const IN_FLIGHT: u32 = 64;

const ELEMENTS: [(u8, &str); 20] = [
    (2, "9704361234561234"),
    (3, "000000"),
    (4, "000000010000"),
    (7, "0921073244"),
    (11, "000124"),
    (12, "143244"),
    (13, "0921"),
    (14, "2512"),
    (15, "0921"),
    (18, "5999"),
    (22, "012"),
    (25, "00"),
    (32, "970499"),
    (37, "226507000124"),
    (41, "SAMPAN01"),
    (42, "MERCHANT0000001"),
    (43, "SAMPAN FERRY            HA NOI        VN"),
    (48, "ORDER 00012345678901234"),
    (49, "704"),
    (102, "00110012345678901234"),
];

pub(crate) fn run() {
    let ascii = Dialect::iso8583_1987_ascii();
    let bcd = Dialect::built_in("iso8583-1987-bcd").unwrap();
    let message = message();
    message_build();
    ascii_encode(ascii, &message);
    ascii_decode(ascii, &written(ascii, &message));
    bcd_encode(bcd, &message);
    bcd_decode(bcd, &written(bcd, &message));
    let now = Now {
        monotonic: Instant::now(),
        utc: OffsetDateTime::UNIX_EPOCH,
    };
    keyed_window(now.monotonic, &mut Window::new(IN_FLIGHT));
    payment_way(now, &mut signed_on(now), &mut Window::new(IN_FLIGHT));
}

fn message() -> Message {
    let mut message = Message::new(Mti::FINANCIAL_REQUEST);
    for (number, value) in ELEMENTS {
        message.set(number, value);
    }
    message
}

fn written(dialect: &Dialect, message: &Message) -> Bytes {
    let mut out = BytesMut::new();
    dialect.encode(message, &mut out).unwrap();
    out.freeze()
}

struct NoStans;

impl Stans for NoStans {
    fn next_stan(&mut self) -> Stan {
        Stan::MAX
    }
}

fn settings() -> Arc<SessionSettings> {
    let mut settings = SessionSettings::new(Arc::new(Dialect::iso8583_1987_ascii().clone()));
    settings.sign_on = None;
    Arc::new(settings)
}

fn signed_on(now: Now) -> Session {
    let mut session = Session::new(settings());
    session.connected(now, &mut NoStans);
    while session.poll_event().is_some() {}
    session
}

#[inline(never)]
fn message_build() {
    named("message_build");
    for _ in 0..TIMES {
        black_box(message());
    }
}

#[inline(never)]
fn ascii_encode(dialect: &Dialect, message: &Message) {
    named("ascii_encode");
    let mut out = BytesMut::with_capacity(1_024);
    for _ in 0..TIMES {
        out.clear();
        dialect.encode(black_box(message), &mut out).unwrap();
    }
}

#[inline(never)]
fn ascii_decode(dialect: &Dialect, bytes: &Bytes) {
    named("ascii_decode");
    for _ in 0..TIMES {
        black_box(dialect.decode(black_box(bytes.clone())).unwrap());
    }
}

#[inline(never)]
fn bcd_encode(dialect: &Dialect, message: &Message) {
    named("bcd_encode");
    let mut out = BytesMut::with_capacity(1_024);
    for _ in 0..TIMES {
        out.clear();
        dialect.encode(black_box(message), &mut out).unwrap();
    }
}

#[inline(never)]
fn bcd_decode(dialect: &Dialect, bytes: &Bytes) {
    named("bcd_decode");
    for _ in 0..TIMES {
        black_box(dialect.decode(black_box(bytes.clone())).unwrap());
    }
}

/// A request registered and taken out by its answer.
#[inline(never)]
fn keyed_window(now: Instant, window: &mut Window<Keyed<u32>, u64>) {
    named("keyed_window");
    for _ in 0..TIMES / IN_FLIGHT {
        for key in 0..IN_FLIGHT {
            window.insert(black_box(key), now, 7).unwrap();
        }
        for key in 0..IN_FLIGHT {
            black_box(window.take(black_box(key)).unwrap());
        }
    }
}

/// An 0200 built, registered, written and framed; its 0210 read, matched with the request and looked at.
/// The bank's part is in it: it writes the 0210.
#[inline(never)]
fn payment_way(now: Now, session: &mut Session, window: &mut Window<Keyed<u32>, u64>) {
    named("payment_way");
    let settings = settings();
    let (mut payload, mut input) = (BytesMut::new(), BytesMut::new());
    for number in 0..TIMES {
        let stan = Stan::new(number).unwrap();
        let mut request = message();
        request.set(11, stan.digits());
        payload.clear();
        settings.encode(&request, &mut payload).unwrap();
        window.insert(stan.get(), now.monotonic, 7).unwrap();
        session.send(Class::Financial, &payload).unwrap();
        session.output().clear();

        request.set_mti(Mti::FINANCIAL_RESPONSE);
        request.set(39, "00");
        payload.clear();
        settings.encode(&request, &mut payload).unwrap();
        settings.framing.put_frame(&payload, &mut input).unwrap();
        session.receive(now, &mut input, usize::MAX);
        let Some(Event::Message { message, .. }) = session.poll_event() else {
            unreachable!("the answer was written by the same dialect");
        };
        let stan = message.stan().unwrap();
        black_box(window.take(stan.get()).unwrap());
        black_box(message.get(39));
    }
}
