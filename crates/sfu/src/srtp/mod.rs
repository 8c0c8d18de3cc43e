//! SRTP and SRTCP (RFC 3711, RFC 7714): keys come from DTLS, key schedules are expanded once, packets are sealed
//! and opened in place.

mod cipher;
mod cm;
mod gcm;
mod kdf;
mod open;
mod replay;
mod seal;

use std::fmt;

use aws_lc_rs::error::Unspecified;

pub use open::{OpenError, OpenKeys, OpenedRtp};
pub use seal::{IndexExhausted, SealKeys};

use cipher::Cipher;

/// The most bytes that sealing adds to an RTP packet.
pub const RTP_OVERHEAD_MAX: usize = 16;
/// The most bytes that sealing adds to an RTCP packet.
pub const RTCP_OVERHEAD_MAX: usize = 20;

/// A protection profile (RFC 5764 4.1.2, RFC 7714 14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// `SRTP_AEAD_AES_256_GCM`.
    AeadAes256Gcm,
    /// `SRTP_AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`.
    Aes128CmSha1_80,
}

impl Profile {
    /// Length of the authentication tag.
    pub const fn tag_bytes(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => gcm::TAG_BYTES,
            Self::Aes128CmSha1_80 => cm::TAG_BYTES,
        }
    }

    /// Length of a master key.
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 32,
            Self::AeadAes128Gcm | Self::Aes128CmSha1_80 => 16,
        }
    }

    /// Length of a master salt.
    pub const fn salt_bytes(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => gcm::SALT_BYTES,
            Self::Aes128CmSha1_80 => cm::SALT_BYTES,
        }
    }
}

/// The DTLS library chose a profile that we have no cipher for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown SRTP protection profile")]
pub struct UnknownProfile;

impl TryFrom<dimpl::SrtpProfile> for Profile {
    type Error = UnknownProfile;

    fn try_from(profile: dimpl::SrtpProfile) -> Result<Self, UnknownProfile> {
        match profile {
            dimpl::SrtpProfile::AEAD_AES_256_GCM => Ok(Self::AeadAes256Gcm),
            dimpl::SrtpProfile::AEAD_AES_128_GCM => Ok(Self::AeadAes128Gcm),
            dimpl::SrtpProfile::AES128_CM_SHA1_80 => Ok(Self::Aes128CmSha1_80),
            _ => Err(UnknownProfile),
        }
    }
}

/// Our side of the DTLS handshake that the keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We sent the ClientHello.
    Client,
    /// We answered it.
    Server,
}

/// Keying material that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyingError {
    /// Its length is not that of two keys and two salts of the profile.
    #[error("keying material has the wrong length")]
    Length,
    /// The crypto library refused a key.
    #[error("the crypto library refused a key")]
    Refused,
}

impl From<Unspecified> for KeyingError {
    fn from(_: Unspecified) -> Self {
        Self::Refused
    }
}

/// The keys of both directions from exported keying material: client key, server key, client salt, server salt
/// (RFC 5764 4.2).
pub fn derive_keys(profile: Profile, material: &[u8], role: Role) -> Result<(SealKeys, OpenKeys), KeyingError> {
    let (key, salt) = (profile.key_bytes(), profile.salt_bytes());
    if material.len() != 2 * (key + salt) {
        return Err(KeyingError::Length);
    }
    let (keys, salts) = material.split_at(2 * key);
    let (client_key, server_key) = keys.split_at(key);
    let (client_salt, server_salt) = salts.split_at(salt);
    let client = Cipher::from_master(profile, client_key, client_salt)?;
    let server = Cipher::from_master(profile, server_key, server_salt)?;
    let (ours, theirs) = match role {
        Role::Client => (client, server),
        Role::Server => (server, client),
    };
    Ok((SealKeys::new(ours), OpenKeys::new(theirs)))
}

/// A master key and salt for `SRTP_AEAD_AES_256_GCM`, of one direction.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey(pub [u8; MASTER_KEY_BYTES]);

/// Key and salt.
pub const MASTER_KEY_BYTES: usize = Profile::AeadAes256Gcm.key_bytes() + Profile::AeadAes256Gcm.salt_bytes();

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

/// The keys of both directions of a pipe, where each side chose its own.
pub fn agreed_keys(ours: &MasterKey, theirs: &MasterKey) -> Result<(SealKeys, OpenKeys), KeyingError> {
    let profile = Profile::AeadAes256Gcm;
    let cipher = |MasterKey(master): &MasterKey| {
        let (key, salt) = master.split_at(profile.key_bytes());
        Cipher::from_master(profile, key, salt)
    };
    Ok((SealKeys::new(cipher(ours)?), OpenKeys::of_pipe(cipher(theirs)?)))
}

/// Keys that seal and open nothing, for a pipe that never leaves the process. What came from a network must never be
/// opened with them.
pub(crate) fn plain_keys() -> (SealKeys, OpenKeys) {
    (SealKeys::new(Cipher::Plain), OpenKeys::of_pipe(Cipher::Plain))
}

#[cfg(test)]
mod tests;
