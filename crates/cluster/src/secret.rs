//! What is made of the secret that the nodes of a cluster share.

use aws_lc_rs::hkdf;

/// A key of `secret` for one use, which `label` names: whoever has it learns nothing of the secret or of another key.
pub fn derive(secret: &[u8], label: &[u8]) -> [u8; 32] {
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, b"").extract(secret);
    let mut key = [0; 32];
    // Fails for keys of more than 8 KiB only.
    let _ = extracted.expand(&[label], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut key));
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_one_secret_and_one_use() {
        let key = derive(b"a secret", b"a use");
        assert_eq!(key, derive(b"a secret", b"a use"));
        assert_ne!(key, [0; 32]);
        assert_ne!(key, derive(b"a secret", b"another use"));
        assert_ne!(key, derive(b"another secret", b"a use"));
    }
}
