//! RTCP on the wire: compound and reduced-size packets (RFC 3550 section 6, RFC 5506), read in place and written.

mod bye;
mod keyframe;
mod nack;
mod ntp;
mod remb;
mod report;
mod sdes;
mod transport_cc;
mod transport_cc_writer;
mod writer;
mod xr;

pub use bye::Bye;
pub use keyframe::{Fir, FirEntry, Pli};
pub use nack::Nack;
pub use ntp::{NtpTime, compact_ntp, duration_from_compact_ntp};
pub use remb::Remb;
pub use report::{ReceiverReport, ReportBlock, ReportBlocks, SenderInfo, SenderReport};
pub use sdes::{Sdes, SdesChunk};
pub use transport_cc::{PacketStatus, TICK, TransportCc};
pub use writer::RtcpWriter;
pub use xr::{Dlrr, DlrrItems, Xr, XrBlock};

const VERSION_2: u8 = 0x80;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
const EXTENDED_REPORT: u8 = 207;

const FORMAT_NACK: u8 = 1;
const FORMAT_TRANSPORT_CC: u8 = 15;
const FORMAT_PLI: u8 = 1;
const FORMAT_FIR: u8 = 4;
const FORMAT_APPLICATION: u8 = 15;

/// One packet of the kinds that an SFU acts on.
#[derive(Debug, Clone, Copy)]
pub enum RtcpPacket<'a> {
    /// SR.
    SenderReport(SenderReport<'a>),
    /// RR.
    ReceiverReport(ReceiverReport<'a>),
    /// SDES.
    Sdes(Sdes<'a>),
    /// BYE.
    Bye(Bye<'a>),
    /// Generic NACK.
    Nack(Nack<'a>),
    /// Transport-wide congestion control feedback.
    TransportCc(TransportCc<'a>),
    /// Picture loss indication.
    Pli(Pli),
    /// Full intra request.
    Fir(Fir<'a>),
    /// Receiver estimated maximum bitrate.
    Remb(Remb<'a>),
    /// Extended report.
    Xr(Xr<'a>),
}

/// Whether a datagram of RTP and RTCP on one port is RTCP (RFC 5761 section 4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, ..] if first & 0xc0 == VERSION_2)
}

/// The packets of a decrypted datagram: unknown kinds are left out, a malformed one is the end.
pub fn packets(datagram: &[u8]) -> impl Iterator<Item = RtcpPacket<'_>> {
    Packets { rest: datagram }
}

struct Packets<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Packets<'a> {
    type Item = RtcpPacket<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (raw, rest) = split_packet(std::mem::take(&mut self.rest))?;
            match parse(raw) {
                Parsed::Known(packet) => {
                    self.rest = rest;
                    return Some(packet);
                }
                Parsed::Unknown => self.rest = rest,
                Parsed::Malformed => return None,
            }
        }
    }
}

/// A packet's common header and what follows it, without padding.
#[derive(Clone, Copy)]
struct Raw<'a> {
    count: u8,
    packet_type: u8,
    body: &'a [u8],
}

fn split_packet(bytes: &[u8]) -> Option<(Raw<'_>, &[u8])> {
    let ([first, packet_type, l0, l1], rest) = bytes.split_first_chunk::<4>()?;
    if first & 0xc0 != VERSION_2 {
        return None;
    }
    let (mut body, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*l0, *l1])) * 4)?;
    if first & 0x20 != 0 {
        let padding = usize::from(*body.last()?);
        if padding == 0 {
            return None;
        }
        body = body.get(..body.len().checked_sub(padding)?)?;
    }
    Some((Raw { count: first & 0x1f, packet_type: *packet_type, body }, rest))
}

enum Parsed<'a> {
    Known(RtcpPacket<'a>),
    Unknown,
    Malformed,
}

fn parse(raw: Raw<'_>) -> Parsed<'_> {
    let Raw { count, packet_type, body } = raw;
    let packet = match (packet_type, count) {
        (SENDER_REPORT, _) => SenderReport::parse(count, body).map(RtcpPacket::SenderReport),
        (RECEIVER_REPORT, _) => ReceiverReport::parse(count, body).map(RtcpPacket::ReceiverReport),
        (SOURCE_DESCRIPTION, _) => Some(RtcpPacket::Sdes(Sdes::new(count, body))),
        (BYE, _) => Bye::parse(count, body).map(RtcpPacket::Bye),
        (TRANSPORT_FEEDBACK, FORMAT_NACK) => Nack::parse(body).map(RtcpPacket::Nack),
        (TRANSPORT_FEEDBACK, FORMAT_TRANSPORT_CC) => TransportCc::parse(body).map(RtcpPacket::TransportCc),
        (PAYLOAD_FEEDBACK, FORMAT_PLI) => Pli::parse(body).map(RtcpPacket::Pli),
        (PAYLOAD_FEEDBACK, FORMAT_FIR) => Fir::parse(body).map(RtcpPacket::Fir),
        (PAYLOAD_FEEDBACK, FORMAT_APPLICATION) if !Remb::is_remb(body) => return Parsed::Unknown,
        (PAYLOAD_FEEDBACK, FORMAT_APPLICATION) => Remb::parse(body).map(RtcpPacket::Remb),
        (EXTENDED_REPORT, _) => Xr::parse(body).map(RtcpPacket::Xr),
        _ => return Parsed::Unknown,
    };
    packet.map_or(Parsed::Malformed, Parsed::Known)
}

/// Splits a big-endian number off the front of `bytes`.
fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_be_bytes(*head))
}

/// The big-endian numbers that `bytes` consists of.
fn u32s(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks().0.iter().map(|chunk| u32::from_be_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::fuzz;

    const PLI: [u8; 12] = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];

    fn compound() -> Vec<u8> {
        let mut buffer = [0; 1024];
        let mut writer = RtcpWriter::new(&mut buffer);
        let block = ReportBlock {
            ssrc: 5,
            fraction_lost: 64,
            cumulative_lost: -3,
            highest_sequence: 0x0001_ffff,
            jitter: 77,
            last_sr: 0x1234_5678,
            delay_since_last_sr: 0x0001_0000,
        };
        let info = SenderInfo { ssrc: 1, ntp: NtpTime(7 << 32 | 9), rtp_timestamp: 8, packets: 9, octets: 10 };
        assert!(writer.sender_report(&info, &[block]));
        assert!(writer.receiver_report(1, &[block, block]));
        assert!(writer.sdes(1, "cname"));
        assert_eq!(writer.nack(1, 2, &[3, 4, 30]), 3);
        assert_eq!(writer.transport_cc(1, 2, 3, 10, [(10, 1000), (12, 1300)].into_iter()), 2);
        assert!(writer.pli(1, 2));
        assert!(writer.fir(1, 2, 3));
        assert!(writer.remb(1, 1_000_000, &[2, 3]));
        assert!(writer.receiver_reference_time(1, NtpTime(1)));
        assert!(writer.dlrr(1, &[Dlrr { ssrc: 2, last_rr: 3, delay_since_last_rr: 4 }]));
        writer.bytes().to_vec()
    }

    fn kinds(datagram: &[u8]) -> String {
        packets(datagram)
            .map(|packet| match packet {
                RtcpPacket::SenderReport(_) => 'S',
                RtcpPacket::ReceiverReport(_) => 'R',
                RtcpPacket::Sdes(_) => 'D',
                RtcpPacket::Bye(_) => 'B',
                RtcpPacket::Nack(_) => 'N',
                RtcpPacket::TransportCc(_) => 'T',
                RtcpPacket::Pli(_) => 'P',
                RtcpPacket::Fir(_) => 'F',
                RtcpPacket::Remb(_) => 'M',
                RtcpPacket::Xr(_) => 'X',
            })
            .collect()
    }

    #[test]
    fn a_compound_of_every_kind_is_read_in_order() {
        assert_eq!(kinds(&compound()), "SRDNTPFMXX");
    }

    #[test]
    fn unknown_kinds_are_left_out() {
        let application = [0x80, 204, 0, 2, 0, 0, 0, 1, b'n', b'a', b'm', b'e'];
        let loss_notification = [0x8f, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, b'L', b'N', b'T', b'F'];
        let tmmbr = [0x83, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        assert_eq!(kinds(&[&application[..], &loss_notification, &tmmbr, &PLI].concat()), "P");
    }

    #[test]
    fn a_malformed_packet_is_the_end() {
        let report_without_its_block = [0x81, 201, 0, 1, 0, 0, 0, 1];
        assert_eq!(kinds(&[&PLI[..], &report_without_its_block, &PLI].concat()), "P");
        let version_1 = [0x41, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        assert_eq!(kinds(&[&PLI[..], &version_1, &PLI].concat()), "P");
        assert_eq!(kinds(&[&PLI[..], &PLI[..11]].concat()), "P");
    }

    #[test]
    fn padding_is_taken_off() {
        let padded = [0xa1, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4];
        assert_eq!(kinds(&padded), "P");
        for wrong in [0, 13, 255] {
            let mut packet = padded;
            packet[15] = wrong;
            assert_eq!(kinds(&packet), "");
        }
        assert_eq!(kinds(&[0xa0, 201, 0, 0]), "");
    }

    #[test]
    fn rtcp_is_told_from_rtp() {
        assert!(is_rtcp(&PLI) && is_rtcp(&[0x80, 200]));
        assert!(!is_rtcp(&[0x80, 0x80 | 63]) && !is_rtcp(&[0x80, 111]) && !is_rtcp(&[0x80]) && !is_rtcp(&[0, 200]));
    }

    #[test]
    fn damaged_packets_never_panic() {
        let whole = compound();
        let mut samples = vec![whole.as_slice()];
        let mut rest = whole.as_slice();
        while let Some((_, after)) = split_packet(rest) {
            samples.push(&rest[..rest.len() - after.len()]);
            rest = after;
        }
        let mut read = 0usize;
        fuzz::damaged(3, &samples, |datagram| {
            for packet in packets(datagram) {
                read += match packet {
                    RtcpPacket::SenderReport(report) => report.blocks.count(),
                    RtcpPacket::ReceiverReport(report) => report.blocks.count(),
                    RtcpPacket::Sdes(sdes) => sdes.chunks().count(),
                    RtcpPacket::Bye(bye) => bye.ssrcs().count(),
                    RtcpPacket::Nack(nack) => nack.sequences().count(),
                    RtcpPacket::TransportCc(feedback) => {
                        assert_eq!(feedback.packets().count(), usize::from(feedback.status_count));
                        feedback.packets().count()
                    }
                    RtcpPacket::Pli(_) => 1,
                    RtcpPacket::Fir(fir) => fir.entries().count(),
                    RtcpPacket::Remb(remb) => remb.ssrcs().count(),
                    RtcpPacket::Xr(xr) => {
                        xr.blocks().map(|block| if let XrBlock::Dlrr(items) = block { items.count() } else { 1 }).sum()
                    }
                };
            }
        });
        assert!(read > 50_000, "{read}: most samples are read in spite of the damage");
    }
}
