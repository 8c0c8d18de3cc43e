//! The certificate that signalling promised (RFC 8122).

use aws_lc_rs::digest;
use protocol::transport::DtlsFingerprint;

use super::RemoteParametersError;

/// More than any client has certificates and hash functions.
const FINGERPRINTS_MAX: usize = 16;

/// Hashes of the certificates that the peer may present, all made with one function.
#[derive(Debug)]
pub(super) struct Fingerprints {
    algorithm: &'static digest::Algorithm,
    hashes: Vec<Vec<u8>>,
}

impl Fingerprints {
    /// Keeps those of the strongest hash function that we know, and ignores the others (RFC 8122 5).
    pub(super) fn parse(fingerprints: &[DtlsFingerprint]) -> Result<Self, RemoteParametersError> {
        if fingerprints.len() > FINGERPRINTS_MAX {
            return Err(RemoteParametersError::TooManyFingerprints);
        }
        let algorithm = fingerprints
            .iter()
            .filter_map(|fingerprint| algorithm(&fingerprint.algorithm))
            .max_by_key(|algorithm| algorithm.output_len())
            .ok_or(RemoteParametersError::NoUsableFingerprint)?;
        let hashes = fingerprints
            .iter()
            .filter(|fingerprint| self::algorithm(&fingerprint.algorithm) == Some(algorithm))
            .map(|fingerprint| parse_hash(&fingerprint.value, algorithm.output_len()))
            .collect::<Option<_>>()
            .ok_or(RemoteParametersError::MalformedFingerprint)?;
        Ok(Self { algorithm, hashes })
    }

    /// Whether this DER-encoded certificate is one of them.
    pub(super) fn match_certificate(&self, certificate: &[u8]) -> bool {
        let hash = digest::digest(self.algorithm, certificate);
        self.hashes.iter().any(|expected| expected == hash.as_ref())
    }
}

fn algorithm(name: &str) -> Option<&'static digest::Algorithm> {
    [
        ("sha-1", &digest::SHA1_FOR_LEGACY_USE_ONLY),
        ("sha-224", &digest::SHA224),
        ("sha-256", &digest::SHA256),
        ("sha-384", &digest::SHA384),
        ("sha-512", &digest::SHA512),
    ]
    .into_iter()
    .find_map(|(known, algorithm)| known.eq_ignore_ascii_case(name).then_some(algorithm))
}

/// Hexadecimal pairs between colons.
fn parse_hash(text: &str, bytes: usize) -> Option<Vec<u8>> {
    let pair = |pair: &str| match pair.as_bytes() {
        [high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => u8::from_str_radix(pair, 16).ok(),
        _ => None,
    };
    let hash: Vec<u8> = text.split(':').take(bytes + 1).map(pair).collect::<Option<_>>()?;
    (hash.len() == bytes).then_some(hash)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest;
    use protocol::transport::DtlsFingerprint;

    use super::super::RemoteParametersError;
    use super::{Fingerprints, algorithm};

    fn fingerprint(name: &str, certificate: &[u8]) -> DtlsFingerprint {
        let algorithm = algorithm(name).expect("a known name");
        let pairs: Vec<String> =
            digest::digest(algorithm, certificate).as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        DtlsFingerprint { algorithm: name.to_owned(), value: pairs.join(":") }
    }

    #[test]
    fn every_hash_function_that_clients_use_is_known() {
        for name in ["sha-1", "sha-224", "sha-256", "sha-384", "sha-512", "SHA-256"] {
            let fingerprints = Fingerprints::parse(&[fingerprint(name, b"certificate")]).expect("well-formed");
            assert!(fingerprints.match_certificate(b"certificate"), "{name}");
            assert!(!fingerprints.match_certificate(b"another"), "{name}");
        }
    }

    #[test]
    fn lower_case_is_accepted() {
        let mut lower = fingerprint("sha-256", b"certificate");
        lower.value.make_ascii_lowercase();
        assert!(Fingerprints::parse(&[lower]).expect("well-formed").match_certificate(b"certificate"));
    }

    #[test]
    fn only_the_strongest_function_counts_and_any_of_its_hashes() {
        let weak = fingerprint("sha-1", b"forged");
        let strong = [fingerprint("sha-256", b"certificate"), fingerprint("sha-256", b"second")];
        let unknown = DtlsFingerprint { algorithm: "md5".to_owned(), value: "00".to_owned() };
        let fingerprints = [&[weak, unknown][..], &strong].concat();
        let fingerprints = Fingerprints::parse(&fingerprints).expect("well-formed");
        assert!(!fingerprints.match_certificate(b"forged"));
        assert!(fingerprints.match_certificate(b"certificate") && fingerprints.match_certificate(b"second"));
    }

    #[test]
    fn unusable_fingerprints_are_refused() {
        assert_eq!(Fingerprints::parse(&[]).err(), Some(RemoteParametersError::NoUsableFingerprint));
        let good = fingerprint("sha-256", b"certificate");
        let many = vec![good.clone(); 17];
        assert_eq!(Fingerprints::parse(&many).err(), Some(RemoteParametersError::TooManyFingerprints));
        let without_colons = good.value.replace(':', "");
        let signed = good.value.replacen(&good.value[..2], "+1", 1);
        for value in ["", "AB", &good.value[3..], &format!("{}:00", good.value), &without_colons, &signed, "é:é"] {
            let broken = DtlsFingerprint { algorithm: "sha-256".to_owned(), value: value.to_owned() };
            let refused = Fingerprints::parse(&[broken]).err();
            assert_eq!(refused, Some(RemoteParametersError::MalformedFingerprint), "{value}");
        }
    }
}
