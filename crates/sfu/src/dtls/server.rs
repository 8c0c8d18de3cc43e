//! The handshake of one transport.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Dtls, Output};
use protocol::transport::{DtlsParameters, DtlsRole};

use super::fingerprint::Fingerprints;
use super::guard::{self, HelloRandom, Verdict};
use super::{Identity, RECORD_OVERHEAD};
use crate::srtp::{OpenKeys, Profile, Role, SealKeys, derive_keys};

/// How often a handshake that failed begins anew before the transport fails.
const RETRIES_MAX: u8 = 5;
/// The library's way to say that no timer runs is one in ten years.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// One end of a DTLS 1.2 association: the server's, unless the client wants that role.
///
/// The handshake may begin, and end, before signalling has told the client's certificate hash: the keys are given out
/// only when both the handshake is done and its certificate is the one that was signalled. The caller feeds it only
/// from address pairs that ICE validated, and calls [`poll`](Self::poll) after every other call.
pub struct DtlsServer {
    identity: Arc<Identity>,
    /// From the handshake's first datagram on: the half of a transport pair that sends nothing never has one.
    dtls: Option<Box<Dtls>>,
    phase: Phase,
    /// We send the ClientHello.
    active: bool,
    remote: Option<Fingerprints>,
    /// The peer's, while `remote` is not known.
    certificate: Option<Vec<u8>>,
    verified: bool,
    /// Exported, and not given out.
    keys: Option<(SealKeys, OpenKeys)>,
    hello: Option<HelloRandom>,
    /// Something was sent in this handshake.
    answered: bool,
    retries_left: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Handshaking,
    /// Keys are there, or never will be.
    Finished,
    Connected,
    /// What is still to be sent, goes out first.
    Closing(CloseReason),
    Closed(CloseReason),
}

/// What [`DtlsServer::poll`] wants done.
#[derive(Debug)]
pub enum DtlsOutput {
    /// Send so many bytes of the buffer.
    Packet(usize),
    /// The peer is who signalling said, and these are the SRTP keys. Said once.
    Connected {
        /// For what we send.
        seal: SealKeys,
        /// For what we receive.
        open: OpenKeys,
    },
    /// Application data of so many bytes of the buffer, from who signalling said: SCTP.
    Data(usize),
    /// It is over. Said once.
    Closed,
    /// Nothing now; call [`DtlsServer::handle_timeout`] then.
    Timeout(Instant),
    /// Nothing until a packet comes.
    Idle,
}

/// Why an association ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer sent a `close_notify`.
    Peer,
    /// The peer's certificate is not the one that signalling promised.
    FingerprintMismatch,
    /// Nothing to protect media with was agreed on.
    NoSrtpProfile,
    /// The handshake failed too often, or the peer broke the protocol later.
    Failed,
}

/// Why a client's DTLS parameters cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RemoteParametersError {
    /// They were given before.
    #[error("the DTLS parameters are set already")]
    AlreadySet,
    /// No fingerprint, or none of a known hash function.
    #[error("no fingerprint of a known hash function")]
    NoUsableFingerprint,
    /// A fingerprint is not as many hexadecimal pairs between colons as its function gives.
    #[error("malformed fingerprint")]
    MalformedFingerprint,
    /// More than 16.
    #[error("too many fingerprints")]
    TooManyFingerprints,
}

impl DtlsServer {
    /// An endpoint that waits for a ClientHello.
    pub fn new(identity: Arc<Identity>) -> Self {
        Self {
            identity,
            dtls: None,
            phase: Phase::Handshaking,
            active: false,
            remote: None,
            certificate: None,
            verified: false,
            keys: None,
            hello: None,
            answered: false,
            retries_left: RETRIES_MAX,
        }
    }

    /// Whether [`set_remote_parameters`](Self::set_remote_parameters) has succeeded.
    pub fn has_remote_parameters(&self) -> bool {
        self.remote.is_some()
    }

    /// Takes the client's role and certificate hashes. A client that is `server` makes us begin the handshake; with
    /// `auto` and `client` we wait for it.
    pub fn set_remote_parameters(
        &mut self,
        now: Instant,
        parameters: &DtlsParameters,
    ) -> Result<(), RemoteParametersError> {
        if self.remote.is_some() {
            return Err(RemoteParametersError::AlreadySet);
        }
        self.remote = Some(Fingerprints::parse(&parameters.fingerprints)?);
        if parameters.role == DtlsRole::Server && self.phase == Phase::Handshaking {
            self.active = true;
            self.begin(now);
        } else if let Some(certificate) = self.certificate.take() {
            self.verify(&certificate);
        }
        Ok(())
    }

    /// Why it ended, once it has.
    pub fn close_reason(&self) -> Option<CloseReason> {
        match self.phase {
            Phase::Closing(reason) | Phase::Closed(reason) => Some(reason),
            Phase::Handshaking | Phase::Finished | Phase::Connected => None,
        }
    }

    /// Takes in one datagram.
    pub fn handle_packet(&mut self, now: Instant, datagram: &[u8]) {
        if self.close_reason().is_some() || !self.admits(now, datagram) {
            return;
        }
        let identity = &self.identity;
        let dtls = self.dtls.get_or_insert_with(|| Box::new(identity.endpoint(now)));
        // The library takes its clock from the last timeout.
        if dtls.handle_timeout(now).and_then(|()| dtls.handle_packet(datagram)).is_err() {
            self.fail(now);
        }
    }

    /// Lets time pass: retransmits, or gives up.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.close_reason().is_none() && self.dtls.as_mut().is_some_and(|dtls| dtls.handle_timeout(now).is_err()) {
            self.fail(now);
        }
    }

    /// What is to be done next; to be called until it gives [`DtlsOutput::Timeout`] or [`DtlsOutput::Idle`].
    /// `out` has room for [`MESSAGE_BYTES_MAX`](super::MESSAGE_BYTES_MAX): the library panics when a certificate does not
    /// fit.
    pub fn poll(&mut self, now: Instant, out: &mut [u8]) -> DtlsOutput {
        loop {
            match self.phase {
                Phase::Closed(_) => return DtlsOutput::Idle,
                // After an error the library's endpoint is not to be used any more.
                Phase::Closing(CloseReason::Failed) => return self.closed(CloseReason::Failed),
                _ => {}
            }
            if self.verified
                && self.phase == Phase::Finished
                && let Some((seal, open)) = self.keys.take()
            {
                self.phase = Phase::Connected;
                return DtlsOutput::Connected { seal, open };
            }
            let Some(dtls) = &mut self.dtls else {
                return match self.phase {
                    Phase::Closing(reason) => self.closed(reason),
                    _ => DtlsOutput::Idle,
                };
            };
            // What it writes stands at the beginning.
            match dtls.poll_output(out) {
                Output::Packet(packet) => {
                    self.answered = true;
                    return DtlsOutput::Packet(packet.len());
                }
                Output::PeerCert(certificate) => self.verify(certificate),
                Output::Connected if self.phase == Phase::Handshaking => self.phase = Phase::Finished,
                Output::KeyingMaterial(material, profile) => {
                    let role = if self.active { Role::Client } else { Role::Server };
                    self.keys =
                        Profile::try_from(profile).ok().and_then(|profile| derive_keys(profile, &material, role).ok());
                }
                Output::CloseNotify => self.close(CloseReason::Peer),
                // Only a record from a datagram of that size needs so much, and no client sends one.
                Output::BufferTooSmall { .. } => self.phase = Phase::Closing(CloseReason::Failed),
                Output::Timeout(at) => match self.phase {
                    Phase::Closing(reason) => return self.closed(reason),
                    Phase::Finished if self.keys.is_none() => self.close(CloseReason::NoSrtpProfile),
                    _ if at > now + IDLE => return DtlsOutput::Idle,
                    _ => return DtlsOutput::Timeout(at),
                },
                // What nobody vouches for yet comes again.
                Output::ApplicationData(data) if self.phase == Phase::Connected => {
                    return DtlsOutput::Data(data.len());
                }
                _ => {}
            }
        }
    }

    /// Writes application data as one record of at most 37 bytes more (header, explicit nonce, tag), and
    /// gives its length; `None` when it does not fit or the association is not connected. To be called when
    /// [`poll`](Self::poll) has nothing to say.
    pub fn seal(&mut self, now: Instant, data: &[u8], out: &mut [u8]) -> Option<usize> {
        if self.phase != Phase::Connected || data.len() + RECORD_OVERHEAD > out.len() {
            return None;
        }
        if self.dtls.as_mut().is_none_or(|dtls| dtls.send_application_data(data).is_err()) {
            self.close(CloseReason::Failed);
            return None;
        }
        match self.poll(now, out) {
            DtlsOutput::Packet(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn closed(&mut self, reason: CloseReason) -> DtlsOutput {
        self.phase = Phase::Closed(reason);
        DtlsOutput::Closed
    }

    /// Whether a datagram may reach the library while everybody could have written it.
    fn admits(&mut self, now: Instant, datagram: &[u8]) -> bool {
        if self.phase != Phase::Handshaking {
            return true;
        }
        match guard::inspect(datagram) {
            Verdict::Drop => false,
            Verdict::Continue => true,
            Verdict::Begin(_) if self.active => false,
            // The first handshake that was answered goes on; who sends another ClientHello is somebody else.
            Verdict::Begin(random) if self.answered => self.hello == Some(random),
            Verdict::Begin(random) => {
                // An unusable one must not stay in the way of the next.
                if self.hello.is_some_and(|hello| hello != random) && self.retries_left > 0 {
                    self.retries_left -= 1;
                    self.begin(now);
                }
                self.hello = Some(random);
                true
            }
        }
    }

    fn verify(&mut self, certificate: &[u8]) {
        match &self.remote {
            None => self.certificate = Some(certificate.to_vec()),
            Some(remote) if remote.match_certificate(certificate) => self.verified = true,
            Some(_) => self.close(CloseReason::FingerprintMismatch),
        }
    }

    fn fail(&mut self, now: Instant) {
        if self.phase == Phase::Handshaking && self.retries_left > 0 {
            self.retries_left -= 1;
            self.begin(now);
        } else {
            self.close(CloseReason::Failed);
        }
    }

    /// Forgets the handshake and begins another.
    fn begin(&mut self, now: Instant) {
        let dtls = self.dtls.insert(Box::new(self.identity.endpoint(now)));
        if self.active {
            dtls.set_active(true);
        }
        self.phase = Phase::Handshaking;
        self.certificate = None;
        self.verified = false;
        self.keys = None;
        self.hello = None;
        self.answered = false;
        // The first timeout sets the clock, and makes a client write its ClientHello.
        if dtls.handle_timeout(now).is_err() {
            self.close(CloseReason::Failed);
        }
    }

    fn close(&mut self, reason: CloseReason) {
        self.keys = None;
        self.phase = Phase::Closing(reason);
        // Where nothing is left to be said the library says nothing, and the reason is known anyway.
        let _ = self.dtls.as_mut().map(|dtls| dtls.close());
    }
}

impl std::fmt::Debug for DtlsServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DtlsServer").field("phase", &self.phase).field("active", &self.active).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
