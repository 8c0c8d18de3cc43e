//! Our private key, read and checked once: the library would have that done for every handshake.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use dimpl::crypto::{Buf, HashAlgorithm, KeyProvider, SignatureAlgorithm, SigningKey};
use dimpl::{CryptoError, CryptoOperation};

/// The key, which it is whatever the library wants to have read.
#[derive(Debug, Clone)]
pub(super) struct OwnKey(Arc<EcdsaKeyPair>);

impl OwnKey {
    /// Reads a P-256 key; `None` if it is none.
    pub(super) fn read(pkcs8: &[u8]) -> Option<Self> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).ok().map(|pair| Self(Arc::new(pair)))
    }
}

impl KeyProvider for OwnKey {
    fn load_private_key(&self, _: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        Ok(Box::new(self.clone()))
    }
}

impl SigningKey for OwnKey {
    fn sign(&mut self, data: &[u8], hash: HashAlgorithm, out: &mut Buf) -> Result<(), CryptoError> {
        if hash != self.hash_algorithm() {
            return Err(CryptoError::SigningKeyHashMismatch { key_hash: self.hash_algorithm(), requested: hash });
        }
        let signature = self.0.sign(&SystemRandom::new(), data);
        out.clear();
        out.extend_from_slice(signature.map_err(|_| CryptoError::OperationFailed(CryptoOperation::Sign))?.as_ref());
        Ok(())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        &[HashAlgorithm::SHA256]
    }
}
