//! A capture file of traced PDUs: classic pcap, in the Ethernet, IPv4 and TCP that a capture of the
//! wire would have had, so that Wireshark dissects it as SMPP without a setting.
//!
//! Each connection of a link becomes a TCP connection of its own, from 192.0.2.1 to an address of
//! 198.51.100.0/24 (both for documentation, RFC 5737) at port 2775, with the handshake, sequence
//! numbers and checksums that belong to it. Nothing here reads or masks a PDU.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::Trouble;
use crate::rpc::proto::TracedPdu;

/// The port of SMPP (IANA); Wireshark knows it.
const SMPP_PORT: u16 = 2775;
/// The first port of our side; the ephemeral ones begin here (RFC 6335 6).
const FIRST_PORT: u16 = 49_152;
/// TCP connections that a capture tells apart; then the ports begin again.
const FLOWS_MAX: usize = 16_384;
/// Octets of a segment: a whole PDU of the usual limit, within an IPv4 packet (RFC 791 3.1).
const SEGMENT_OCTETS_MAX: usize = 65_000;
/// Longest packet of the file.
const SNAP_OCTETS: u32 = 65_535;
/// Frames are Ethernet (LINKTYPE_ETHERNET).
const LINKTYPE_ETHERNET: u32 = 1;
const HEADERS_OCTETS: usize = 54;
const OUR_ADDRESS: [u8; 4] = [192, 0, 2, 1];

const SYN: u8 = 0x02;
const PUSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// A capture file in the making.
pub(super) struct Capture {
    path: PathBuf,
    pcap: Pcap<BufWriter<File>>,
}

impl Capture {
    /// Begins a file; one that is there is overwritten.
    pub(super) fn create(path: &Path) -> Result<Self, Trouble> {
        let begun = File::create(path).and_then(|file| Pcap::begin(BufWriter::new(file)));
        match begun {
            Ok(pcap) => Ok(Self {
                path: path.into(),
                pcap,
            }),
            Err(error) => Err(trouble(path, &error)),
        }
    }

    /// Adds a PDU.
    pub(super) fn write(&mut self, pdu: &TracedPdu) -> Result<(), Trouble> {
        let written = self.pcap.write(pdu);
        written.map_err(|error| trouble(&self.path, &error))
    }

    /// What was added is in the file.
    pub(super) fn flush(&mut self) -> Result<(), Trouble> {
        let flushed = self.pcap.out.flush();
        flushed.map_err(|error| trouble(&self.path, &error))
    }
}

fn trouble(path: &Path, error: &io::Error) -> Trouble {
    Trouble::Failure(format!("{}: cannot be written: {error}", path.display()))
}

struct Pcap<W> {
    out: W,
    flows: HashMap<(String, u64), Flow>,
    flows_begun: usize,
}

/// A TCP connection as far as it went.
#[derive(Clone, Copy)]
struct Flow {
    our_port: u16,
    their_address: [u8; 4],
    ours: u32,
    theirs: u32,
}

impl<W: Write> Pcap<W> {
    fn begin(mut out: W) -> io::Result<Self> {
        // Microseconds, version 2.4, no time zone, no accuracy; in the order of little endian.
        out.write_all(&0xA1B2_C3D4_u32.to_le_bytes())?;
        out.write_all(&2_u16.to_le_bytes())?;
        out.write_all(&4_u16.to_le_bytes())?;
        out.write_all(&[0; 8])?;
        out.write_all(&SNAP_OCTETS.to_le_bytes())?;
        out.write_all(&LINKTYPE_ETHERNET.to_le_bytes())?;
        Ok(Self {
            out,
            flows: HashMap::new(),
            flows_begun: 0,
        })
    }

    fn write(&mut self, pdu: &TracedPdu) -> io::Result<()> {
        let key = (pdu.link.clone(), pdu.connection);
        let mut flow = match self.flows.get(&key) {
            Some(flow) => *flow,
            None => self.connect(pdu.at_us)?,
        };
        for segment in pdu.octets.chunks(SEGMENT_OCTETS_MAX) {
            self.packet(pdu.at_us, &mut flow, pdu.outgoing, PUSH | ACK, segment)?;
        }
        self.flows.insert(key, flow);
        Ok(())
    }

    /// The three packets that begin a connection.
    fn connect(&mut self, at_us: i64) -> io::Result<Flow> {
        if self.flows.len() >= FLOWS_MAX {
            self.flows.clear();
        }
        let number = self.flows_begun;
        self.flows_begun += 1;
        let mut flow = Flow {
            our_port: FIRST_PORT + (number % FLOWS_MAX) as u16,
            // Another address for each round of ports.
            their_address: [198, 51, 100, (1 + number / FLOWS_MAX % 254) as u8],
            ours: 0,
            theirs: 0,
        };
        self.packet(at_us, &mut flow, true, SYN, &[])?;
        self.packet(at_us, &mut flow, false, SYN | ACK, &[])?;
        self.packet(at_us, &mut flow, true, ACK, &[])?;
        Ok(flow)
    }

    fn packet(
        &mut self,
        at_us: i64,
        flow: &mut Flow,
        outgoing: bool,
        flags: u8,
        payload: &[u8],
    ) -> io::Result<()> {
        let packet = flow.packet(outgoing, flags, payload);
        let micros = u64::try_from(at_us).unwrap_or_default();
        let octets = (packet.len() as u32).to_le_bytes();
        // The format has 32 bits for seconds, which last until 2106.
        self.out
            .write_all(&((micros / 1_000_000) as u32).to_le_bytes())?;
        self.out
            .write_all(&((micros % 1_000_000) as u32).to_le_bytes())?;
        self.out.write_all(&octets)?;
        self.out.write_all(&octets)?;
        self.out.write_all(&packet)
    }
}

impl Flow {
    /// The next packet of one side, which it counts.
    fn packet(&mut self, outgoing: bool, flags: u8, payload: &[u8]) -> Vec<u8> {
        let (ports, addresses, sequence, acknowledged) = match outgoing {
            true => (
                [self.our_port, SMPP_PORT],
                [OUR_ADDRESS, self.their_address],
                self.ours,
                self.theirs,
            ),
            false => (
                [SMPP_PORT, self.our_port],
                [self.their_address, OUR_ADDRESS],
                self.theirs,
                self.ours,
            ),
        };
        let length = payload.len() as u32 + u32::from(flags & SYN != 0);
        let side = if outgoing {
            &mut self.ours
        } else {
            &mut self.theirs
        };
        *side = side.wrapping_add(length);
        let acknowledged = if flags & ACK != 0 { acknowledged } else { 0 };
        let tcp = tcp(addresses, ports, sequence, acknowledged, flags, payload);
        let mut packet = Vec::with_capacity(HEADERS_OCTETS + payload.len());
        packet.extend_from_slice(&ethernet(outgoing));
        packet.extend_from_slice(&ipv4(addresses, tcp.len()));
        packet.extend_from_slice(&tcp);
        packet
    }
}

/// Two locally administered addresses and the type of IPv4.
fn ethernet(outgoing: bool) -> [u8; 14] {
    let (from, to) = if outgoing { (1, 2) } else { (2, 1) };
    [2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 0x08, 0x00]
}

/// A header without options (RFC 791 3.1).
fn ipv4([from, to]: [[u8; 4]; 2], payload: usize) -> [u8; 20] {
    const DO_NOT_FRAGMENT: u8 = 0x40;
    const TCP: u8 = 6;
    let [high, low] = ((20 + payload) as u16).to_be_bytes();
    let start = [0x45, 0, high, low, 0, 0, DO_NOT_FRAGMENT, 0, 64, TCP];
    let [check_high, check_low] = checksum(&[&start, &from, &to]).to_be_bytes();
    let mut header = [0; 20];
    let fields = start.into_iter().chain([check_high, check_low]);
    for (slot, octet) in header.iter_mut().zip(fields.chain(from).chain(to)) {
        *slot = octet;
    }
    header
}

/// A segment without options (RFC 9293 3.1).
fn tcp(
    [from, to]: [[u8; 4]; 2],
    [from_port, to_port]: [u16; 2],
    sequence: u32,
    acknowledged: u32,
    flags: u8,
    payload: &[u8],
) -> Vec<u8> {
    const FIVE_WORDS: u8 = 5 << 4;
    let mut segment = Vec::with_capacity(20 + payload.len());
    segment.extend_from_slice(&from_port.to_be_bytes());
    segment.extend_from_slice(&to_port.to_be_bytes());
    segment.extend_from_slice(&sequence.to_be_bytes());
    segment.extend_from_slice(&acknowledged.to_be_bytes());
    segment.extend_from_slice(&[FIVE_WORDS, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
    segment.extend_from_slice(payload);
    let length = (segment.len() as u16).to_be_bytes();
    let pseudo_header = [0, 6, length[0], length[1]];
    let check = checksum(&[&from, &to, &pseudo_header, &segment]);
    if let Some(slot) = segment.get_mut(16..18) {
        slot.copy_from_slice(&check.to_be_bytes());
    }
    segment
}

/// The ones' complement sum of 16-bit words (RFC 1071). All parts but the last have even lengths.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u64 = 0;
    for pair in parts.iter().flat_map(|part| part.chunks(2)) {
        let word = match pair {
            [high, low] => u16::from_be_bytes([*high, *low]),
            [high] => u16::from_be_bytes([*high, 0]),
            _ => 0,
        };
        sum += u64::from(word);
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pdu(connection: u64, outgoing: bool, octets: usize) -> TracedPdu {
        TracedPdu {
            at_us: 1_000_002,
            link: "one/1".into(),
            outgoing,
            octets: vec![b'x'; octets].into(),
            connection,
            ..TracedPdu::default()
        }
    }

    /// The packets of a file, each without its record header.
    fn packets(pdus: &[TracedPdu]) -> Vec<Vec<u8>> {
        let mut pcap = Pcap::begin(Vec::new()).unwrap();
        for pdu in pdus {
            pcap.write(pdu).unwrap();
        }
        let (mut rest, mut packets) = (&pcap.out[24..], Vec::new());
        while !rest.is_empty() {
            assert_eq!(rest[..8], [1, 0, 0, 0, 2, 0, 0, 0]);
            let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
            assert_eq!(rest[8..12], rest[12..16]);
            packets.push(rest[16..16 + length].to_vec());
            rest = &rest[16 + length..];
        }
        packets
    }

    fn sequence(packet: &[u8]) -> u32 {
        u32::from_be_bytes(packet[38..42].try_into().unwrap())
    }

    #[test]
    fn each_connection_begins_with_a_handshake_and_counts_its_octets_without_a_gap() {
        let packets = packets(&[
            pdu(1, true, 16),
            pdu(1, false, 20),
            pdu(1, true, 16),
            pdu(2, true, 16),
        ]);
        let flags: Vec<u8> = packets.iter().map(|packet| packet[47]).collect();
        let data = PUSH | ACK;
        let handshake = [SYN, SYN | ACK, ACK];
        assert_eq!(
            flags,
            [&handshake[..], &[data; 3], &handshake, &[data]].concat()
        );
        assert_eq!(sequence(&packets[3]), 1);
        assert_eq!(sequence(&packets[4]), 1);
        assert_eq!(sequence(&packets[5]), 17);
        assert_eq!(sequence(&packets[9]), 1);
        assert_ne!(packets[5][34..36], packets[9][34..36]);
    }

    #[test]
    fn a_pdu_of_the_greatest_length_fills_several_packets() {
        let packets = packets(&[pdu(1, true, 150_000)]);
        let lengths: Vec<usize> = packets[3..]
            .iter()
            .map(|p| p.len() - HEADERS_OCTETS)
            .collect();
        assert_eq!(lengths, [65_000, 65_000, 20_000]);
        assert_eq!(sequence(&packets[5]), 130_001);
    }

    #[test]
    fn checksums_are_such_that_a_receiver_finds_nothing_wrong() {
        for packet in packets(&[pdu(1, true, 17), pdu(1, false, 16)]) {
            let (header, segment) = (&packet[14..34], &packet[34..]);
            assert_eq!(checksum(&[header]), 0);
            let length = (segment.len() as u16).to_be_bytes();
            let pseudo = [&header[12..20], &[0, 6], &length].concat();
            assert_eq!(checksum(&[&pseudo, segment]), 0);
        }
    }
}
