//! Sealing of what a light client sends: SRTCP with AES-GCM (RFC 7714), and its keys (RFC 3711 section 4.3).

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::FixedLength;
use dimpl::SrtpProfile;

/// Labels of the session keys for RTCP (RFC 3711 section 4.3.2).
const RTCP_ENCRYPTION: u8 = 3;
const RTCP_SALT: u8 = 5;
const SALT_BYTES: usize = 12;
/// The first header: what stays readable of a packet.
const HEADER_BYTES: usize = 8;
/// The E flag: the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// Seals RTCP packets, each under the index that follows.
pub(super) struct Sealer {
    key: LessSafeKey,
    salt: [u8; SALT_BYTES],
    index: u32,
}

impl Sealer {
    /// For what the DTLS client sends, from the handshake's keying material (RFC 5764 section 4.2); none for a
    /// profile without AES-GCM.
    pub(super) fn for_client(material: &[u8], profile: SrtpProfile) -> Option<Self> {
        let key_bytes = match profile {
            SrtpProfile::AEAD_AES_256_GCM => 32,
            SrtpProfile::AEAD_AES_128_GCM => 16,
            _ => return None,
        };
        let key = material.get(..key_bytes)?;
        let salt = material.get(2 * key_bytes..2 * key_bytes + SALT_BYTES)?;
        let mut session_key = vec![0; key_bytes];
        derive(key, salt, RTCP_ENCRYPTION, &mut session_key).ok()?;
        let mut session_salt = [0; SALT_BYTES];
        derive(key, salt, RTCP_SALT, &mut session_salt).ok()?;
        Self::new(&session_key, session_salt).ok()
    }

    fn new(key: &[u8], salt: [u8; SALT_BYTES]) -> Result<Self, Unspecified> {
        let algorithm = if key.len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
        Ok(Self { key: LessSafeKey::new(UnboundKey::new(algorithm, key)?), salt, index: 0 })
    }

    /// Seals a packet, a compound one too, in place (RFC 7714 section 9.2); false when it cannot be.
    pub(super) fn seal(&mut self, packet: &mut Vec<u8>) -> bool {
        let Some((header, _)) = packet.split_first_chunk::<HEADER_BYTES>() else { return false };
        let (header, trailer) = (*header, (ENCRYPTED | self.index).to_be_bytes());
        let mut nonce = [0; SALT_BYTES];
        nonce[2..6].copy_from_slice(&header[4..]);
        nonce[8..].copy_from_slice(&self.index.to_be_bytes());
        nonce.iter_mut().zip(&self.salt).for_each(|(byte, salt)| *byte ^= salt);
        let mut associated = [0; HEADER_BYTES + 4];
        associated[..HEADER_BYTES].copy_from_slice(&header);
        associated[HEADER_BYTES..].copy_from_slice(&trailer);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let mut payload = packet.split_off(HEADER_BYTES);
        if self.key.seal_in_place_append_tag(nonce, Aad::from(associated), &mut payload).is_err() {
            return false;
        }
        packet.extend_from_slice(&payload);
        packet.extend_from_slice(&trailer);
        // 2^31 packets are centuries of feedback.
        self.index = (self.index + 1) & !ENCRYPTED;
        true
    }
}

/// The AES-CM key derivation, with the salt filled up to 112 bits (RFC 7714 section 11).
fn derive(key: &[u8], salt: &[u8], label: u8, out: &mut [u8]) -> Result<(), Unspecified> {
    let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
    let mut iv = [0; 16];
    iv.get_mut(..salt.len()).ok_or(Unspecified)?.copy_from_slice(salt);
    iv[7] ^= label;
    let cipher = EncryptingKey::ctr(UnboundCipherKey::new(algorithm, key)?)?;
    cipher.less_safe_encrypt(out, EncryptionContext::Iv128(FixedLength::from(iv)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal");
        digits.chunks(2).map(pair).collect()
    }

    #[test]
    fn derives_the_keys_of_rfc3711_b3_and_rfc6188_7_2() {
        for (key, salt, expected) in [
            ("E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6", "C61E7A93744F39EE10734AFE3FF7A087"),
            (
                "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6",
                "3b04803de51ee7c96423ab5b78d2",
                "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
            ),
        ] {
            let mut derived = vec![0; hex(expected).len()];
            derive(&hex(key), &hex(salt), 0, &mut derived).expect("a valid key");
            assert_eq!(derived, hex(expected));
        }
    }

    #[test]
    fn seals_the_packets_of_rfc7714_17() {
        let plain = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61\
                     deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";
        for (key_bytes, expected) in [
            (
                16,
                "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9\
                 275bc84aa45896cf4d2fc5abf87245d9eade800005d4",
            ),
            (
                32,
                "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b\
                 6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
            ),
        ] {
            let key: Vec<u8> = (0..key_bytes).collect();
            let mut sealer = Sealer::new(&key, *b"Quid pro quo").expect("a valid key");
            sealer.index = 0x5d4;
            let mut packet = hex(plain);
            assert!(sealer.seal(&mut packet));
            assert_eq!(packet, hex(expected));
            assert_eq!(sealer.index, 0x5d5);
        }
    }

    #[test]
    fn keys_are_the_clients_half_of_the_material() {
        let material: Vec<u8> = (0..88).collect();
        let mut sealer = Sealer::for_client(&material, SrtpProfile::AEAD_AES_256_GCM).expect("enough material");
        let (mut key, mut salt) = (vec![0; 32], [0; SALT_BYTES]);
        derive(&material[..32], &material[64..76], RTCP_ENCRYPTION, &mut key).expect("a valid key");
        derive(&material[..32], &material[64..76], RTCP_SALT, &mut salt).expect("a valid key");
        let (mut packet, mut expected) = (vec![0x81; 20], vec![0x81; 20]);
        assert!(sealer.seal(&mut packet) && Sealer::new(&key, salt).expect("a valid key").seal(&mut expected));
        assert_eq!(packet, expected);
        assert!(Sealer::for_client(&material, SrtpProfile::AES128_CM_SHA1_80).is_none());
        assert!(Sealer::for_client(&material[..50], SrtpProfile::AEAD_AES_256_GCM).is_none());
    }
}
