//! Tokens that this server gives out and takes back: authenticated by HMAC-SHA256, opaque to clients.
//!
//! A place token admits one participant to one room for a minute. A session token lets its holder come back to
//! a session; each use raises the session's generation, which ends the token that was used. An operator's token shows
//! for a minute that its holder has the secret.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use cluster::secret::derive;
use protocol::{ParticipantId, RoomId, SessionId};

/// How long a place token admits.
pub const PLACE_TTL: Duration = Duration::from_secs(60);
/// How long an operator's token is good.
pub const OPERATOR_TTL: Duration = Duration::from_secs(60);
/// How long a session token lets its holder come back; the room forgets most participants much earlier.
pub const SESSION_TTL: Duration = Duration::from_secs(24 * 3600);

const TAG_LEN: usize = 32;
/// Kind, expiry, participant, session, generation, a room name of 64 bytes and the tag, in base64.
const TOKEN_CHARS_MAX: usize = (1 + 8 + 8 + 8 + 4 + RoomId::LENGTH_MAX + TAG_LEN).div_ceil(3) * 4;

/// Admits a participant to a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceToken {
    /// Which room.
    pub room: RoomId,
    /// As whom.
    pub participant: ParticipantId,
}

/// Lets a participant come back to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionToken {
    /// Which room.
    pub room: RoomId,
    /// Who.
    pub participant: ParticipantId,
    /// Which page's life.
    pub session: SessionId,
    /// How many tokens of this session came before.
    pub generation: u32,
}

/// Why a token was refused. Clients are not told which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was not made by this server, or it was changed, or it is of the other kind.
    #[error("the token is not valid")]
    Invalid,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
}

/// Makes tokens with a secret, and verifies them with that or an older one.
pub struct Tokens {
    keys: Vec<hmac::Key>,
}

/// What the key of tokens is derived with: a secret has other uses too.
const KEY_LABEL: &[u8] = b"hyperion session tokens 1";

#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    Place = 1,
    Session = 2,
    Operator = 3,
    /// Of which no token is made.
    Address = 4,
}

impl Tokens {
    /// Tokens of the holders of `secrets`, of which there is at least one: the first signs, all verify.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let key = |secret| hmac::Key::new(hmac::HMAC_SHA256, &derive(secret, KEY_LABEL));
        let keys: Vec<_> = secrets.into_iter().map(key).collect();
        assert!(!keys.is_empty(), "tokens need a secret");
        Self { keys }
    }

    /// Tokens of the holders of a cluster's secrets.
    pub fn of(secrets: &[String]) -> Self {
        Self::new(secrets.iter().map(String::as_bytes))
    }

    /// Makes a place token. `now` is the time since the Unix epoch.
    pub fn place(&self, now: Duration, token: &PlaceToken) -> String {
        let PlaceToken { room, participant } = token;
        self.seal(Kind::Place, now + PLACE_TTL, &[&participant.0.to_be_bytes(), room.as_str().as_bytes()])
    }

    /// Makes a session token. `now` is the time since the Unix epoch.
    pub fn session(&self, now: Duration, token: &SessionToken) -> String {
        let SessionToken { room, participant, session, generation } = token;
        let fields: [&[u8]; 4] = [
            &participant.0.to_be_bytes(),
            &session.0.to_be_bytes(),
            &generation.to_be_bytes(),
            room.as_str().as_bytes(),
        ];
        self.seal(Kind::Session, now + SESSION_TTL, &fields)
    }

    /// Makes an operator's token, for one node. `now` is the time since the Unix epoch.
    pub fn operator(&self, now: Duration, node: &str) -> String {
        self.seal(Kind::Operator, now + OPERATOR_TTL, &[node.as_bytes()])
    }

    /// Verifies an operator's token for `node`.
    pub fn verify_operator(&self, now: Duration, node: &str, token: &str) -> Result<(), TokenError> {
        let claims = self.open(Kind::Operator, now, token)?;
        if claims == node.as_bytes() { Ok(()) } else { Err(TokenError::Invalid) }
    }

    /// Verifies a place token.
    pub fn verify_place(&self, now: Duration, token: &str) -> Result<PlaceToken, TokenError> {
        let claims = self.open(Kind::Place, now, token)?;
        let (participant, room) = claims.split_first_chunk::<8>().ok_or(TokenError::Invalid)?;
        Ok(PlaceToken { room: room_name(room)?, participant: ParticipantId(u64::from_be_bytes(*participant)) })
    }

    /// Verifies a session token; whether its generation is the newest is for the session to say.
    pub fn verify_session(&self, now: Duration, token: &str) -> Result<SessionToken, TokenError> {
        let claims = self.open(Kind::Session, now, token)?;
        let (participant, rest) = claims.split_first_chunk::<8>().ok_or(TokenError::Invalid)?;
        let (session, rest) = rest.split_first_chunk::<8>().ok_or(TokenError::Invalid)?;
        let (generation, room) = rest.split_first_chunk::<4>().ok_or(TokenError::Invalid)?;
        Ok(SessionToken {
            room: room_name(room)?,
            participant: ParticipantId(u64::from_be_bytes(*participant)),
            session: SessionId(u64::from_be_bytes(*session)),
            generation: u32::from_be_bytes(*generation),
        })
    }

    /// What a room knows an address by: the same for the same two, and nothing to who has not the secret.
    pub fn address_tag(&self, room: &RoomId, address: IpAddr) -> u64 {
        let mut bytes = vec![Kind::Address as u8];
        bytes.extend_from_slice(address.to_canonical().to_string().as_bytes());
        bytes.push(b'/');
        bytes.extend_from_slice(room.as_str().as_bytes());
        let tag = hmac::sign(&self.keys[0], &bytes);
        tag.as_ref().first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
    }

    fn seal(&self, kind: Kind, expires: Duration, fields: &[&[u8]]) -> String {
        let mut bytes = vec![kind as u8];
        bytes.extend_from_slice(&millis(expires).to_be_bytes());
        for field in fields {
            bytes.extend_from_slice(field);
        }
        let tag = hmac::sign(&self.keys[0], &bytes);
        bytes.extend_from_slice(tag.as_ref());
        BASE64URL.encode(bytes)
    }

    /// The claims after kind and expiry.
    fn open(&self, kind: Kind, now: Duration, token: &str) -> Result<Vec<u8>, TokenError> {
        if token.len() > TOKEN_CHARS_MAX {
            return Err(TokenError::Invalid);
        }
        let bytes = BASE64URL.decode(token).map_err(|_| TokenError::Invalid)?;
        let (signed, tag) = bytes.split_last_chunk::<TAG_LEN>().ok_or(TokenError::Invalid)?;
        if self.keys.iter().all(|key| hmac::verify(key, signed, tag).is_err()) {
            return Err(TokenError::Invalid);
        }
        let [found, rest @ ..] = signed else { return Err(TokenError::Invalid) };
        let (expires, claims) = rest.split_first_chunk::<8>().ok_or(TokenError::Invalid)?;
        if *found != kind as u8 {
            return Err(TokenError::Invalid);
        }
        if millis(now) >= u64::from_be_bytes(*expires) {
            return Err(TokenError::Expired);
        }
        Ok(claims.to_vec())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn room_name(bytes: &[u8]) -> Result<RoomId, TokenError> {
    std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).ok_or(TokenError::Invalid)
}

/// The time since the Unix epoch.
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_s_token_is_for_one_node_and_a_minute() {
        let (tokens, now) = (Tokens::new([&[1; 32][..]]), Duration::from_secs(1000));
        let token = tokens.operator(now, "node-1");
        assert_eq!(tokens.verify_operator(now, "node-1", &token), Ok(()));
        assert_eq!(tokens.verify_operator(now, "node-2", &token), Err(TokenError::Invalid));
        assert_eq!(tokens.verify_operator(now + OPERATOR_TTL, "node-1", &token), Err(TokenError::Expired));
        assert_eq!(tokens.verify_session(now, &token), Err(TokenError::Invalid));
    }

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn tokens() -> Tokens {
        Tokens::new([&[7; 32][..]])
    }

    fn place() -> PlaceToken {
        PlaceToken { room: "daily".parse().expect("a room"), participant: ParticipantId(0x1234) }
    }

    fn session() -> SessionToken {
        SessionToken {
            room: "daily".parse().expect("a room"),
            participant: ParticipantId(1),
            session: SessionId(2),
            generation: 3,
        }
    }

    #[test]
    fn tokens_say_what_they_were_made_of() {
        let tokens = tokens();
        assert_eq!(tokens.verify_place(NOW, &tokens.place(NOW, &place())), Ok(place()));
        assert_eq!(tokens.verify_session(NOW, &tokens.session(NOW, &session())), Ok(session()));
    }

    #[test]
    fn a_changed_character_is_noticed() {
        let tokens = tokens();
        let token = tokens.session(NOW, &session());
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert_eq!(tokens.verify_session(NOW, &changed), Err(TokenError::Invalid), "{at}");
        }
    }

    #[test]
    fn a_claim_for_another_room_needs_the_secret() {
        let tokens = tokens();
        let mut bytes = BASE64URL.decode(tokens.place(NOW, &place())).expect("base64");
        let at = bytes.len() - TAG_LEN - 5;
        bytes[at..at + 5].copy_from_slice(b"other");
        assert_eq!(tokens.verify_place(NOW, &BASE64URL.encode(bytes)), Err(TokenError::Invalid));
    }

    #[test]
    fn tokens_end_with_their_time() {
        let tokens = tokens();
        let token = tokens.place(NOW, &place());
        let last = NOW + PLACE_TTL - Duration::from_millis(1);
        assert!(tokens.verify_place(last, &token).is_ok());
        assert_eq!(tokens.verify_place(NOW + PLACE_TTL, &token), Err(TokenError::Expired));
    }

    #[test]
    fn kinds_and_secrets_do_not_mix() {
        let tokens = tokens();
        assert_eq!(tokens.verify_session(NOW, &tokens.place(NOW, &place())), Err(TokenError::Invalid));
        assert_eq!(tokens.verify_place(NOW, &tokens.session(NOW, &session())), Err(TokenError::Invalid));
        let others = Tokens::new([&[8; 32][..]]);
        assert_eq!(tokens.verify_place(NOW, &others.place(NOW, &place())), Err(TokenError::Invalid));
        // A secret that is being replaced: the first signs, all verify.
        let both = Tokens::new([&[8; 32][..], &[7; 32]]);
        assert!(both.verify_place(NOW, &tokens.place(NOW, &place())).is_ok());
        assert!(others.verify_place(NOW, &both.place(NOW, &place())).is_ok());
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", "A", "%%%", "AAAA", &"A".repeat(100), &"A".repeat(100_000)] {
            assert_eq!(tokens().verify_place(NOW, text), Err(TokenError::Invalid));
            assert_eq!(tokens().verify_session(NOW, text), Err(TokenError::Invalid));
        }
    }

    #[test]
    fn the_longest_token_fits() {
        let room: RoomId = "r".repeat(RoomId::LENGTH_MAX).parse().expect("a room");
        let token = SessionToken { room, ..session() };
        assert_eq!(tokens().verify_session(NOW, &tokens().session(NOW, &token)), Ok(token));
    }
}
