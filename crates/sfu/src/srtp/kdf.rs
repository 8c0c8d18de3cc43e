//! Session keys from a master key and salt (RFC 3711 4.3, RFC 7714 11).

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::FixedLength;

/// What a session key is for (RFC 3711 4.3.1 and 4.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    RtpEncryption = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpEncryption = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// AES in counter mode as the pseudo-random function, with a key derivation rate of zero.
pub(super) struct Kdf {
    prf: EncryptingKey,
    salt: [u8; 14],
}

impl Kdf {
    /// A 16 or 32 byte key and a salt of at most 14 bytes, filled up with zeros on the right (RFC 7714 11).
    pub(super) fn new(master_key: &[u8], master_salt: &[u8]) -> Result<Self, Unspecified> {
        let algorithm = if master_key.len() == 32 { &AES_256 } else { &AES_128 };
        let prf = EncryptingKey::ctr(UnboundCipherKey::new(algorithm, master_key)?)?;
        let mut salt = [0; 14];
        salt.get_mut(..master_salt.len()).ok_or(Unspecified)?.copy_from_slice(master_salt);
        Ok(Self { prf, salt })
    }

    /// A session key, or salt, of `N` bytes.
    pub(super) fn derive<const N: usize>(&self, label: Label) -> Result<[u8; N], Unspecified> {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        iv[7] ^= label as u8;
        let mut key = [0; N];
        self.prf.less_safe_encrypt(&mut key, EncryptionContext::Iv128(FixedLength::from(iv)))?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::{Kdf, Label};

    #[test]
    fn derives_the_keys_of_rfc3711_b3() {
        let kdf = Kdf::new(&hex("E1F97A0D3E018BE0D64FA32C06DE4139"), &hex("0EC675AD498AFEEBB6960B3AABE6"))
            .expect("a valid key");
        let key: [u8; 16] = kdf.derive(Label::RtpEncryption).expect("derived");
        assert_eq!(key[..], hex("C61E7A93744F39EE10734AFE3FF7A087"));
        let salt: [u8; 14] = kdf.derive(Label::RtpSalt).expect("derived");
        assert_eq!(salt[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
        let auth: [u8; 94] = kdf.derive(Label::RtpAuthentication).expect("derived");
        assert_eq!(
            auth[..],
            hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF7227098\
                 6371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2")
        );
    }

    #[test]
    fn derives_the_keys_of_rfc6188_7_2() {
        let master = hex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6");
        let kdf = Kdf::new(&master, &hex("3b04803de51ee7c96423ab5b78d2")).expect("a valid key");
        let key: [u8; 32] = kdf.derive(Label::RtpEncryption).expect("derived");
        assert_eq!(key[..], hex("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"));
        let salt: [u8; 14] = kdf.derive(Label::RtpSalt).expect("derived");
        assert_eq!(salt[..], hex("fa31791685ca444a9e07c6c64e93"));
        let auth: [u8; 20] = kdf.derive(Label::RtpAuthentication).expect("derived");
        assert_eq!(auth[..], hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"));
    }

    /// The input of the first derivation is the salt alone, as is that of a first packet in counter mode.
    #[test]
    fn the_pseudo_random_function_is_the_key_stream_of_rfc6188_7_1() {
        let key = hex("57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98");
        let kdf = Kdf::new(&key, &hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd")).expect("a valid key");
        let stream: [u8; 48] = kdf.derive(Label::RtpEncryption).expect("derived");
        assert_eq!(
            stream[..],
            hex("92bdd28a93c3f52511c677d08b5515a49da71b2378a854f67050756ded165bac63c4868b7096d88421b563b8c94c9a31")
        );
    }

    #[test]
    fn refuses_keys_and_salts_of_a_wrong_length() {
        assert!(Kdf::new(&[0; 15], &[0; 14]).is_err());
        assert!(Kdf::new(&[0; 16], &[0; 15]).is_err());
    }
}
