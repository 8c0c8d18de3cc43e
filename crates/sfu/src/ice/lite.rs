//! The responder of one transport.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use is::stun::StunMessage;

use super::credentials::{Credentials, IntegrityKey};
use super::request::BindingRequest;
use crate::transmit::SocketIndex;

/// RFC 7675 5.1: without a valid check for so long, nothing more may be sent.
pub const CONSENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Addresses that one client may talk from at a time.
pub const PAIRS_MAX: usize = 16;

/// A path: one of our sockets and an address of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair {
    /// Our end.
    pub socket: SocketIndex,
    /// The client's end, as we see it.
    pub remote: SocketAddr,
}

/// An ICE-lite agent (RFC 8445 2.5): always controlled, never checks, answers.
///
/// A pair becomes valid by a check that has our password's integrity; only such pairs may carry DTLS and SRTP.
pub struct IceLite {
    local: Local,
    /// Accepted until the first check with the credentials that replaced them.
    previous: Option<Local>,
    pairs: ArrayVec<ValidPair, PAIRS_MAX>,
    /// What the client chose; before that the first pair that became valid.
    selected: Option<Pair>,
    /// The highest NOMINATION.
    nomination: Option<u32>,
    last_check: Option<Instant>,
}

struct Local {
    credentials: Credentials,
    key: IntegrityKey,
}

struct ValidPair {
    pair: Pair,
    last_check: Instant,
}

/// What an authentic check brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingOutcome {
    /// Length of the reply in the buffer, to be sent on the path that the check came on.
    pub reply_bytes: usize,
    /// This pair became valid.
    pub validated: Option<Pair>,
    /// This pair is not valid any more: the client has too many.
    pub evicted: Option<Pair>,
    /// Media goes here from now on.
    pub selected: Option<Pair>,
    /// This ufrag is not accepted any more.
    pub retired_ufrag: Option<String>,
}

/// Why a check gets no reply: nothing is sent to who does not know the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// It is for another transport.
    #[error("unknown ufrag")]
    UnknownUfrag,
    /// Its integrity was not made with our password.
    #[error("wrong integrity")]
    Unauthentic,
    /// The reply does not fit the buffer, or would be more than 1.2 times as long as the request.
    #[error("no room for the reply")]
    ReplyTooLong,
}

impl IceLite {
    /// An agent without any valid pair.
    pub fn new(credentials: Credentials) -> Self {
        Self {
            local: Local::new(credentials),
            previous: None,
            pairs: ArrayVec::new(),
            selected: None,
            nomination: None,
            last_check: None,
        }
    }

    /// The credentials to tell the client.
    pub fn credentials(&self) -> &Credentials {
        &self.local.credentials
    }

    /// The ufrags whose checks are for this agent.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> {
        [Some(&self.local), self.previous.as_ref()].into_iter().flatten().map(|local| &*local.credentials.ufrag)
    }

    /// Where to send.
    pub fn selected(&self) -> Option<Pair> {
        self.selected
    }

    /// The valid pairs, in no order.
    pub fn pairs(&self) -> impl Iterator<Item = Pair> {
        self.pairs.iter().map(|valid| valid.pair)
    }

    /// Whether DTLS and SRTP may come from there.
    pub fn is_valid(&self, pair: Pair) -> bool {
        self.pairs.iter().any(|valid| valid.pair == pair)
    }

    /// When consent ends unless another check comes; none while the first is still awaited.
    pub fn consent_expires(&self) -> Option<Instant> {
        self.last_check.map(|last| last + CONSENT_TIMEOUT)
    }

    /// Whether the client is still there, or has yet to come.
    pub fn is_alive(&self, now: Instant) -> bool {
        self.consent_expires().is_none_or(|expires| now < expires)
    }

    /// Takes new credentials. Pairs and selection stay, and the old credentials are accepted, until the first check
    /// with the new ones. Gives the ufrag that is not accepted any more, if the client never used it.
    pub fn restart(&mut self, credentials: Credentials) -> Option<String> {
        let replaced = std::mem::replace(&mut self.local, Local::new(credentials));
        if self.previous.is_some() {
            // A second restart before any check: the client still is where it was before the first.
            return Some(replaced.credentials.ufrag);
        }
        self.previous = Some(replaced);
        None
    }

    /// Forgets a pair whose connection closed. In the place of the selected one comes the one that was checked last,
    /// and the client's next nomination counts whatever its value: what it outbids is gone.
    pub fn remove(&mut self, pair: Pair) {
        self.pairs.retain(|valid| valid.pair != pair);
        if self.selected == Some(pair) {
            self.nomination = None;
            self.selected = self.pairs.iter().max_by_key(|valid| valid.last_check).map(|valid| valid.pair);
        }
    }

    /// Answers a check that came on a socket from an address, into `out`.
    pub fn handle_binding(
        &mut self,
        now: Instant,
        socket: SocketIndex,
        remote: SocketAddr,
        request: &BindingRequest<'_>,
        out: &mut [u8],
    ) -> Result<BindingOutcome, BindingError> {
        let ufrag = request.local_ufrag();
        let is_current = ufrag == self.local.credentials.ufrag;
        let local = match &self.previous {
            _ if is_current => &self.local,
            Some(previous) if ufrag == previous.credentials.ufrag => previous,
            _ => return Err(BindingError::UnknownUfrag),
        };
        let message = &request.message;
        if !message.verify(&[], |_, parts| local.key.sign(parts)) {
            return Err(BindingError::Unauthentic);
        }
        // RFC 8445 7.3.1.1: a lite agent cannot take the controlling role.
        if message.ice_controlled().is_some() {
            let reply = StunMessage::binding_role_conflict_reply(message.trans_id());
            return Ok(BindingOutcome::reply_only(local.reply(reply, request, out)?));
        }
        let reply = StunMessage::binding_reply(message.trans_id(), remote);
        let mut outcome = BindingOutcome::reply_only(local.reply(reply, request, out)?);

        self.last_check = Some(now);
        if is_current && let Some(previous) = self.previous.take() {
            outcome.retired_ufrag = Some(previous.credentials.ufrag);
            // The client has moved on; until it nominates again, what it checks first is the best guess.
            self.nomination = None;
            self.selected = None;
        }
        let pair = Pair { socket, remote };
        let before = self.selected;
        self.select(pair, request);
        (outcome.validated, outcome.evicted) = self.validate(now, pair);
        outcome.selected = self.selected.filter(|selected| before != Some(*selected));
        Ok(outcome)
    }

    fn select(&mut self, pair: Pair, request: &BindingRequest<'_>) {
        let nominates = match request.nomination {
            // A late check must not undo a later nomination.
            Some(value) => self.nomination.is_none_or(|highest| value > highest),
            None => request.message.use_candidate(),
        };
        if nominates {
            self.nomination = request.nomination.or(self.nomination);
            self.selected = Some(pair);
        } else if self.selected.is_none() {
            self.selected = Some(pair);
        }
    }

    /// Notes the check and gives the pair if it is new and the one that had to go for it.
    fn validate(&mut self, now: Instant, pair: Pair) -> (Option<Pair>, Option<Pair>) {
        if let Some(known) = self.pairs.iter_mut().find(|valid| valid.pair == pair) {
            known.last_check = now;
            return (None, None);
        }
        let mut evicted = None;
        if self.pairs.is_full() {
            let oldest = self
                .pairs
                .iter()
                .enumerate()
                .filter(|(_, valid)| Some(valid.pair) != self.selected)
                .min_by_key(|(_, valid)| valid.last_check)
                .map(|(index, _)| index);
            evicted = oldest.map(|index| self.pairs.swap_remove(index).pair);
        }
        self.pairs.push(ValidPair { pair, last_check: now });
        (Some(pair), evicted)
    }
}

impl std::fmt::Debug for IceLite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceLite")
            .field("ufrag", &self.local.credentials.ufrag)
            .field("pairs", &self.pairs.len())
            .field("selected", &self.selected)
            .finish_non_exhaustive()
    }
}

impl Local {
    fn new(credentials: Credentials) -> Self {
        let key = IntegrityKey::new(&credentials.password);
        Self { credentials, key }
    }

    fn reply(
        &self,
        reply: StunMessage<'_>,
        request: &BindingRequest<'_>,
        out: &mut [u8],
    ) -> Result<usize, BindingError> {
        let bytes =
            reply.to_bytes(Some(&[]), out, |_, parts| self.key.sign(parts)).map_err(|_| BindingError::ReplyTooLong)?;
        if bytes * 5 > request.bytes * 6 {
            return Err(BindingError::ReplyTooLong);
        }
        Ok(bytes)
    }
}

impl BindingOutcome {
    fn reply_only(reply_bytes: usize) -> Self {
        Self { reply_bytes, validated: None, evicted: None, selected: None, retired_ufrag: None }
    }
}

#[cfg(test)]
mod tests;
