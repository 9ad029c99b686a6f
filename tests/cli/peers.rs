//! An SMSC and a bank of a few lines, so that a command has something to ask for.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread,
};

use bytes::BytesMut;
use sampan::iso8583::{Dialect, Framing, Message};

/// What a peer answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    All,
    /// Neither submit_sm nor 0200 and what follows from it.
    NoTraffic,
}

pub(crate) struct Smsc {
    pub(crate) address: String,
    submits: Receiver<()>,
}

impl Smsc {
    pub(crate) fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (submitted, submits) = channel();
        thread::spawn(move || {
            for link in listener.incoming() {
                // A link that ends is the router's business.
                serve_smpp(&mut link.unwrap(), answers, || submitted.send(()).unwrap()).ok();
            }
        });
        Self { address, submits }
    }

    pub(crate) fn wait_for_submit(&self) {
        self.submits.recv().unwrap();
    }
}

fn serve_smpp(link: &mut TcpStream, answers: Answers, submitted: impl Fn()) -> std::io::Result<()> {
    const BIND_TRANSCEIVER: u8 = 0x09;
    const SUBMIT_SM: u8 = 0x04;
    loop {
        let mut header = [0; 16];
        link.read_exact(&mut header)?;
        let length = u32::from_be_bytes(header[..4].try_into().unwrap());
        link.read_exact(&mut vec![0; length as usize - 16])?;
        let body: &[u8] = match header[7] {
            SUBMIT_SM => {
                submitted();
                if answers == Answers::NoTraffic {
                    continue;
                }
                b"msg-1\0"
            }
            BIND_TRANSCEIVER => b"smsc\0",
            _ => b"",
        };
        let length = 16 + body.len() as u32;
        // The same command with the response bit, ESME_ROK, the same sequence number.
        let head = [&length.to_be_bytes()[..], &[0x80, 0, 0, header[7]], &[0; 4]].concat();
        link.write_all(&[&head, &header[12..], body].concat())?;
    }
}

/// A bank that approves whatever it answers; its address.
pub(crate) fn start_bank(answers: Answers) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for link in listener.incoming() {
            // A link that ends is the router's business.
            serve_iso(&mut link.unwrap(), answers).ok();
        }
    });
    address
}

fn serve_iso(link: &mut TcpStream, answers: Answers) -> std::io::Result<()> {
    let dialect = Dialect::iso8583_1987_ascii();
    let (mut input, mut chunk) = (BytesMut::new(), [0; 4096]);
    loop {
        while let Some(frame) = Framing::default().take_frame(&mut input).unwrap() {
            let request = dialect.decode(frame.body).unwrap();
            if answers == Answers::NoTraffic && request.mti().to_string() != "0800" {
                continue;
            }
            let answer = approve(&request);
            let (mut body, mut output) = (BytesMut::new(), BytesMut::new());
            dialect.encode(&answer, &mut body).unwrap();
            Framing::default().put_frame(&body, &mut output).unwrap();
            link.write_all(&output)?;
        }
        match link.read(&mut chunk)? {
            0 => return Ok(()),
            read => input.extend_from_slice(&chunk[..read]),
        }
    }
}

/// 0800, 0200 and 0420 get 0810, 0210 and 0430 with the elements that they came with.
fn approve(request: &Message) -> Message {
    let mti = match request.mti().to_string().as_str() {
        "0800" => "0810",
        "0200" => "0210",
        "0420" | "0421" => "0430",
        other => panic!("{other}"),
    };
    let mut answer = Message::new(mti.parse().unwrap());
    for (number, value) in request.iter() {
        // The original's data is the request's own.
        if number != 90 {
            answer.set(number, value);
        }
    }
    answer.set(39, "00");
    answer
}
