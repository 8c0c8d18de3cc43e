//! Our half of the short-term credentials (RFC 8445 5.3).

use aws_lc_rs::hmac;
use rand::Rng;
use rand::distr::{Alphanumeric, SampleString};

/// The ufrag is also what finds the transport of a first check, so it is long enough to be unique and not guessed.
const UFRAG_CHARS: usize = 16;
const PASSWORD_CHARS: usize = 32;

/// A ufrag and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Names the transport in the USERNAME of a check.
    pub ufrag: String,
    /// Keys the MESSAGE-INTEGRITY of checks and replies.
    pub password: String,
}

impl Credentials {
    /// 95 random bits of ufrag and 190 of password, letters and digits.
    pub fn random(rng: &mut impl Rng) -> Self {
        Self {
            ufrag: Alphanumeric.sample_string(rng, UFRAG_CHARS),
            password: Alphanumeric.sample_string(rng, PASSWORD_CHARS),
        }
    }
}

/// The HMAC-SHA1 key of a password, expanded once.
pub(super) struct IntegrityKey(hmac::Key);

impl IntegrityKey {
    pub(super) fn new(password: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()))
    }

    pub(super) fn sign(&self, parts: &[&[u8]]) -> [u8; 20] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        let mut tag = [0; 20];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::Credentials;

    #[test]
    fn random_credentials_are_ice_chars_of_fixed_length() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (a, b) = (Credentials::random(&mut rng), Credentials::random(&mut rng));
        assert_ne!(a, b);
        assert_eq!((a.ufrag.len(), a.password.len()), (16, 32));
        assert!((a.ufrag + &a.password).chars().all(|c| c.is_ascii_alphanumeric()));
    }
}
