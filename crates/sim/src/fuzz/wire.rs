//! The parsers of what is on the wire, each by itself.

use std::time::Duration;

use sfu::codec::{Codec, PictureNumbers, av1, h264, opus, vp8, vp9};
use sfu::framing::{Deframer, FRAME_BYTES_MAX, FrameTooLong, LENGTH_BYTES, length_prefix};
use sfu::ice::BindingRequest;
use sfu::rtcp::{NtpTime, RtcpPacket, XrBlock, packets};
use sfu::rtp::dependency_descriptor::{DependencyDescriptor, Structure};
use sfu::rtp::{
    AbsCaptureTime, AudioLevel, RtpHeader, VideoOrientation, elements, parse_transport_sequence, write_extensions,
};

use super::Input;

const CODECS: [Codec; 5] = [Codec::Opus, Codec::Vp8, Codec::H264, Codec::Vp9, Codec::Av1];

/// A STUN binding request.
pub fn stun(data: &[u8]) {
    if let Ok(request) = BindingRequest::parse(data) {
        assert!(!request.local_ufrag().contains(':'));
        assert!(BindingRequest::parse(&data[..data.len() - 4]).is_err(), "its length is in its header");
    }
}

/// An RTP packet: header, header extensions, padding.
pub fn rtp(data: &[u8]) {
    let Some(header) = RtpHeader::parse(data) else { return };
    let payload = &data[header.header_bytes..];
    assert!(header.padding_bytes(payload).is_none_or(|padding| padding <= payload.len()));
    for (id, value) in header.extensions(data) {
        assert_ne!(id, 0);
        AudioLevel::parse(value).map(AudioLevel::to_bytes);
        VideoOrientation::parse(value);
        AbsCaptureTime::parse(value).map(AbsCaptureTime::to_bytes);
        parse_transport_sequence(value);
    }
    let mut buffer = vec![0; 2 * data.len() + 8];
    if let Some(bytes @ 1..) = write_extensions(&mut buffer, header.extensions(data)) {
        let profile = u16::from_be_bytes([buffer[0], buffer[1]]);
        assert!(elements(profile, &buffer[4..bytes]).eq(header.extensions(data)), "what is written is read again");
    }
}

/// A compound RTCP packet of any kinds.
pub fn rtcp(data: &[u8]) {
    let now = NtpTime::from_unix(Duration::from_secs(1_800_000_000));
    for packet in packets(data) {
        let items = match packet {
            RtcpPacket::SenderReport(report) => {
                report.info.ntp.to_unix();
                count(report.blocks, |block| block.round_trip_time(now))
            }
            RtcpPacket::ReceiverReport(report) => count(report.blocks, |block| block.round_trip_time(now)),
            RtcpPacket::Sdes(sdes) => sdes.chunks().count(),
            RtcpPacket::Bye(bye) => bye.ssrcs().count(),
            // A bit each, and the number itself.
            RtcpPacket::Nack(nack) => nack.sequences().count() / 17,
            RtcpPacket::TransportCc(feedback) => {
                assert_eq!(feedback.packets().count(), usize::from(feedback.status_count));
                0
            }
            RtcpPacket::Pli(_) => 1,
            RtcpPacket::Fir(fir) => fir.entries().count(),
            RtcpPacket::Remb(remb) => remb.ssrcs().count(),
            RtcpPacket::Xr(xr) => xr
                .blocks()
                .map(|block| match block {
                    XrBlock::Dlrr(items) => count(items, |item| item.round_trip_time(now)),
                    _ => 1,
                })
                .sum(),
        };
        assert!(items <= data.len() / 4, "{items} items of at least a word in {} bytes", data.len());
    }
}

/// How many items there are, of which each is looked at.
fn count<T, U>(items: impl Iterator<Item = T>, look: impl Fn(&T) -> U) -> usize {
    items.fold(0, |count, item| {
        look(&item);
        count + 1
    })
}

/// The payload of a packet, by the codec that the first byte chooses.
pub fn payload(data: &[u8]) {
    let Some((&choice, payload)) = data.split_first() else { return };
    let codec = CODECS[usize::from(choice) % CODECS.len()];
    codec.is_keyframe(payload);
    let mut shifted = payload.to_vec();
    let shift = PictureNumbers { picture_id: 0x7fff, tl0_picture_index: 0xff };
    codec.shift_picture(&mut shifted, shift);
    assert_eq!(codec.picture_numbers(&shifted).is_some(), codec.picture_numbers(payload).is_some());
    match codec {
        Codec::Opus => {
            opus::is_dtx(payload);
        }
        Codec::Vp8 => {
            if let Some(descriptor) = vp8::Descriptor::parse(payload) {
                let again = vp8::Descriptor::parse(&shifted).expect("only its numbers differ");
                assert_eq!((again.bytes, again.temporal), (descriptor.bytes, descriptor.temporal));
            }
        }
        Codec::H264 => assert!(h264::nal_types(payload).count() <= payload.len()),
        Codec::Vp9 => {
            if let Some(descriptor) = vp9::Descriptor::parse(payload) {
                assert_eq!(vp9::Descriptor::parse(&payload[..descriptor.bytes]), Some(descriptor));
            }
        }
        Codec::Av1 => {
            av1::AggregationHeader::parse(payload);
        }
    }
}

/// The dependency descriptors of one stream, one after the other.
pub fn dependency_descriptor(data: &[u8]) {
    let mut input = Input(data);
    let mut structure = Structure::default();
    while let Some(value) = input.block() {
        let before = structure.clone();
        match DependencyDescriptor::parse(value, &mut structure) {
            Some(descriptor) => {
                let targets = usize::from(structure.decode_targets);
                assert_eq!(descriptor.frame.indications.len(), targets);
                assert_eq!(descriptor.frame.chains.len(), usize::from(structure.chains));
                assert!(descriptor.structure_attached || structure == before);
                assert!(structure.protected_by.iter().all(|chain| *chain < structure.chains));
            }
            None => assert_eq!(structure, before, "what cannot be read changes nothing"),
        }
    }
}

/// A block that says how many bytes each read brings, then a stream of datagrams behind their lengths.
pub fn framing(data: &[u8]) {
    let mut input = Input(data);
    let Some(reads) = input.block() else { return };
    let stream = input.0;
    let (datagrams, end) = deframe(stream, &[]);
    assert_eq!(deframe(stream, reads), (datagrams.clone(), end), "reads may end anywhere");

    let framed: Vec<u8> =
        datagrams.iter().flat_map(|datagram| [&length_prefix(datagram.len())[..], datagram].concat()).collect();
    let rest = stream.strip_prefix(&framed[..]).expect("nothing is left out, added or changed");
    let announced = rest.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length)));
    match end {
        Ok(()) => assert!(announced.is_none_or(|bytes| rest.len() < LENGTH_BYTES + bytes), "no datagram is held back"),
        Err(FrameTooLong(bytes)) => assert!(bytes > FRAME_BYTES_MAX && announced == Some(bytes)),
    }
}

/// What comes out of a stream of which each read brings so many bytes, in turn; without any, one read brings it all.
fn deframe(stream: &[u8], reads: &[u8]) -> (Vec<Vec<u8>>, Result<(), FrameTooLong>) {
    let mut deframer = Deframer::default();
    let mut datagrams = Vec::new();
    let mut sizes = reads.iter().map(|&bytes| usize::from(bytes.max(1))).cycle();
    let mut rest = stream.to_vec();
    while !rest.is_empty() {
        let later = rest.split_off(sizes.next().unwrap_or(usize::MAX).min(rest.len()));
        if let Err(error) = deframer.read(&mut rest, |datagram| datagrams.push(datagram.to_vec())) {
            return (datagrams, Err(error));
        }
        rest = later;
    }
    (datagrams, Ok(()))
}
