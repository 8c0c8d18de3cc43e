//! A connectivity check as it comes from the wire, before anybody vouches for it.

use is::stun::StunMessage;

const HEADER_BYTES: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0, 1];
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

const MAPPED_ADDRESS: u16 = 0x0001;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const ALTERNATE_SERVER: u16 = 0x8023;
const FINGERPRINT: u16 = 0x8028;
/// draft-thatcher-ice-renomination, sent by libwebrtc.
const NOMINATION: u16 = 0xc001;
const NETWORK_COST: u16 = 0xc057;

/// A STUN binding request: well-formed, with a right fingerprint if it has one, not yet authenticated.
pub struct BindingRequest<'a> {
    pub(super) message: StunMessage<'a>,
    /// The value of NOMINATION.
    pub(super) nomination: Option<u32>,
    pub(super) bytes: usize,
    ufrag: &'a str,
}

/// Not a binding request that an ICE agent sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed binding request")]
pub struct MalformedRequest;

impl<'a> BindingRequest<'a> {
    /// Parses a datagram.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, MalformedRequest> {
        // First: the library logs a warning for some attributes, and everybody can send those.
        let nomination = walk(datagram)?;
        let message = StunMessage::parse(datagram).map_err(|_| MalformedRequest)?;
        let username = message.username().ok_or(MalformedRequest)?;
        let (ufrag, _) = username.split_once(':').ok_or(MalformedRequest)?;
        Ok(Self { message, nomination, bytes: datagram.len(), ufrag })
    }

    /// Our half of the USERNAME: names the transport that the check is for.
    pub fn local_ufrag(&self) -> &'a str {
        self.ufrag
    }
}

/// Checks what the library does not, and finds NOMINATION, which it does not know.
fn walk(datagram: &[u8]) -> Result<Option<u32>, MalformedRequest> {
    let header = datagram.first_chunk::<HEADER_BYTES>().ok_or(MalformedRequest)?;
    if header[..2] != BINDING_REQUEST || header[4..8] != MAGIC_COOKIE {
        return Err(MalformedRequest);
    }
    let mut nomination = None;
    let mut authenticated = false;
    let mut offset = HEADER_BYTES;
    while let Some(&[kind_high, kind_low, length_high, length_low]) = datagram[offset..].first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        let next = offset + 4 + length.next_multiple_of(4);
        if next > datagram.len() {
            return Err(MalformedRequest);
        }
        let value = &datagram[offset + 4..offset + 4 + length];
        match u16::from_be_bytes([kind_high, kind_low]) {
            FINGERPRINT => {
                // RFC 8489 14.7: the last attribute, over everything before it.
                let right = value == (crc32(&datagram[..offset]) ^ 0x5354_554e).to_be_bytes();
                if !right || next != datagram.len() {
                    return Err(MalformedRequest);
                }
            }
            MESSAGE_INTEGRITY => authenticated = true,
            // RFC 8489 14.5: what follows the integrity is not protected by it.
            _ if authenticated => {}
            MAPPED_ADDRESS | UNKNOWN_ATTRIBUTES | ALTERNATE_SERVER => return Err(MalformedRequest),
            NETWORK_COST if length != 4 => return Err(MalformedRequest),
            NOMINATION => nomination = value.try_into().map(u32::from_be_bytes).ok(),
            _ => {}
        }
        offset = next;
    }
    if offset == datagram.len() { Ok(nomination) } else { Err(MalformedRequest) }
}

/// CRC-32 as in ISO 3309, which FINGERPRINT uses.
pub(super) fn crc32(data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut crc = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
                bit += 1;
            }
            table[byte] = crc;
            byte += 1;
        }
        table
    };
    !data.iter().fold(!0, |crc: u32, &byte| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use rand::{Rng, RngCore, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::super::credentials::IntegrityKey;
    use super::{BindingRequest, MalformedRequest, crc32};

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// RFC 5769 section 2.1.
    fn sample_request() -> Vec<u8> {
        hex("000100582112a442b7e7a701bc34d686fa87dfae\
             802200105354554e207465737420636c69656e74\
             002400046e0001ff80290008932ff9b151263b36\
             000600096576746a3a68367659202020\
             000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf")
    }

    #[test]
    fn reads_the_sample_request_of_rfc5769_2_1() {
        let datagram = sample_request();
        let request = BindingRequest::parse(&datagram).expect("well-formed");
        assert_eq!(request.local_ufrag(), "evtj");
        assert_eq!(request.message.username(), Some("evtj:h6vY"));
        assert_eq!(request.message.ice_controlled(), Some(0x932f_f9b1_5126_3b36));
        let key = IntegrityKey::new("VOkJxbRl1RmTxUk/WvJxBt");
        assert!(request.message.verify(&[], |_, parts| key.sign(parts)));
        let wrong = IntegrityKey::new("VOkJxbRl1RmTxUk/WvJxBT");
        assert!(!request.message.verify(&[], |_, parts| wrong.sign(parts)));
    }

    #[test]
    fn the_library_reads_the_sample_responses_of_rfc5769_2_2_and_2_3() {
        for (address, datagram) in [
            (
                "192.0.2.1:32853",
                "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220\
                 002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96",
            ),
            (
                "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
                "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220\
                 002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9\
                 00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c",
            ),
        ] {
            let datagram = hex(datagram);
            let message = is::stun::StunMessage::parse(&datagram).expect("well-formed");
            assert_eq!(message.mapped_address(), Some(address.parse().expect("an address")));
            let key = IntegrityKey::new("VOkJxbRl1RmTxUk/WvJxBt");
            assert!(message.verify(&[], |_, parts| key.sign(parts)));
            let (before, fingerprint) = datagram.split_at(datagram.len() - 8);
            assert_eq!((crc32(before) ^ 0x5354_554e).to_be_bytes(), fingerprint[4..]);
            assert_eq!(BindingRequest::parse(&datagram).err(), Some(MalformedRequest));
        }
    }

    /// ICE has short-term credentials only (RFC 8445 section 7.2.2): nobody is asked for a realm.
    #[test]
    fn the_long_term_request_of_rfc5769_2_4_names_no_transport() {
        let datagram = hex("000100602112a44278ad3433c6ad72c029da412e\
             00060012e3839ee38388e383aae38383e382afe382b90000\
             0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341\
             0014000b6578616d706c652e6f726700\
             00080014f67024656dd64a3e02b8e0712e85c9a28ca89666");
        assert_eq!(BindingRequest::parse(&datagram).err(), Some(MalformedRequest));
    }

    #[test]
    fn a_changed_byte_is_seen_by_the_fingerprint() {
        for at in 0..sample_request().len() - 8 {
            let mut datagram = sample_request();
            datagram[at] ^= 0x10;
            assert!(BindingRequest::parse(&datagram).is_err(), "byte {at}");
        }
    }

    #[test]
    fn garbage_and_broken_requests_are_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let sample = sample_request();
        for length in 0..sample.len() {
            assert!(BindingRequest::parse(&sample[..length]).is_err(), "{length} bytes");
        }
        for _ in 0..100_000 {
            let mut datagram = sample[..rng.random_range(0..=sample.len() / 4) * 4].to_vec();
            for _ in 0..rng.random_range(0..6) {
                let at = rng.random_range(0..=datagram.len().max(1) - 1);
                if let Some(byte) = datagram.get_mut(at) {
                    *byte = rng.random();
                }
            }
            let length = (datagram.len() as u16).wrapping_sub(20);
            if let Some(field) = datagram.get_mut(2..4) {
                field.copy_from_slice(&length.to_be_bytes());
            }
            // The fingerprint may be cut off, so that some pass: only a panic is wrong.
            let _ = BindingRequest::parse(&datagram);
            rng.fill_bytes(&mut datagram);
            assert!(BindingRequest::parse(&datagram).is_err());
        }
    }
}
