//! Exactly once: what became of each request, for as long as somebody may repeat it.

use std::collections::{BTreeMap, VecDeque};

use protocol::{ErrorCode, SessionId};
use serde::{Deserialize, Serialize};

use crate::change::Accepted;

/// What came of a request.
pub(crate) type Decision = Result<Accepted, ErrorCode>;

/// What is known of a request before it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Never seen: judge it.
    New,
    /// Seen: this came of it.
    Repeat(Decision),
    /// So old that its outcome was forgotten.
    Expired,
}

/// The outcomes of the newest [`Window::WIDTH`] request numbers of one session or node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    highest: u64,
    outcomes: BTreeMap<u64, Decision>,
}

impl Window {
    /// How far below the highest number a request may come late. A client's requests overtake each other
    /// only while it moves from one node to another, and it has few of them under way.
    const WIDTH: u64 = 64;

    pub(crate) fn look(&self, n: u64) -> Seen {
        match self.outcomes.get(&n) {
            Some(decision) => Seen::Repeat(*decision),
            None if n < self.lowest() => Seen::Expired,
            None => Seen::New,
        }
    }

    pub(crate) fn store(&mut self, n: u64, decision: Decision) {
        self.highest = self.highest.max(n);
        self.outcomes.insert(n, decision);
        self.outcomes = self.outcomes.split_off(&self.lowest());
    }

    fn lowest(&self) -> u64 {
        self.highest.saturating_sub(Self::WIDTH - 1)
    }
}

/// Sessions that are over, so that a late copy of their join does not bring a ghost into the room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EndedSessions {
    sessions: BTreeMap<SessionId, Ended>,
    oldest_first: VecDeque<SessionId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Ended {
    /// The request that ended it, which may be repeated.
    last: Option<(u64, Decision)>,
    /// What all others of its requests are told.
    error: ErrorCode,
}

impl EndedSessions {
    /// A copy is late by seconds; this many people do not leave one room within them.
    const SESSIONS_MAX: usize = 1024;

    pub(crate) fn contains(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    /// What a session is told that is over.
    pub(crate) fn error(&self, session: SessionId) -> Option<ErrorCode> {
        self.sessions.get(&session).map(|ended| ended.error)
    }

    pub(crate) fn look(&self, session: SessionId, n: u64) -> Seen {
        match self.sessions.get(&session) {
            Some(Ended { last: Some((last, decision)), .. }) if *last == n => Seen::Repeat(*decision),
            Some(Ended { error, .. }) => Seen::Repeat(Err(*error)),
            None => Seen::New,
        }
    }

    /// Notes that `session` is over; its later requests are told `error`.
    pub(crate) fn insert(&mut self, session: SessionId, error: ErrorCode) {
        if self.sessions.insert(session, Ended { last: None, error }).is_none() {
            self.oldest_first.push_back(session);
        }
        if self.oldest_first.len() > Self::SESSIONS_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.sessions.remove(&oldest);
        }
    }

    /// Notes the request that ended `session`, if it is over.
    pub(crate) fn store(&mut self, session: SessionId, n: u64, decision: Decision) {
        if let Some(ended) = self.sessions.get_mut(&session) {
            ended.last = Some((n, decision));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YES: Decision = Ok(Accepted { seq: 7, binding: None });

    #[test]
    fn a_request_out_of_order_within_the_window_is_new() {
        let mut window = Window::default();
        window.store(64, YES);
        assert_eq!(window.look(0), Seen::Expired);
        assert_eq!(window.look(1), Seen::New);
        window.store(1, Err(ErrorCode::NotFound));
        assert_eq!(window.look(1), Seen::Repeat(Err(ErrorCode::NotFound)));
        assert_eq!(window.look(64), Seen::Repeat(YES));
    }

    #[test]
    fn the_window_forgets_what_falls_out_of_it() {
        let mut window = Window::default();
        for n in 0..1000 {
            window.store(n, YES);
            assert!(window.outcomes.len() <= 64);
        }
        assert_eq!(window.look(935), Seen::Expired);
        assert_eq!(window.look(936), Seen::Repeat(YES));
        window.store(u64::MAX, YES);
        assert_eq!(window.look(999), Seen::Expired);
    }

    #[test]
    fn ended_sessions_are_bounded_and_the_oldest_are_forgotten() {
        let mut ended = EndedSessions::default();
        for session in 0..2000 {
            ended.insert(SessionId(session), ErrorCode::SessionExpired);
        }
        assert_eq!(ended.sessions.len(), EndedSessions::SESSIONS_MAX);
        assert_eq!(ended.look(SessionId(0), 1), Seen::New);
        assert_eq!(ended.look(SessionId(1999), 1), Seen::Repeat(Err(ErrorCode::SessionExpired)));
    }

    #[test]
    fn the_request_that_ended_a_session_can_be_repeated() {
        let mut ended = EndedSessions::default();
        ended.store(SessionId(1), 3, YES);
        assert!(!ended.contains(SessionId(1)));
        ended.insert(SessionId(1), ErrorCode::SessionExpired);
        ended.store(SessionId(1), 3, YES);
        assert_eq!(ended.look(SessionId(1), 3), Seen::Repeat(YES));
        assert_eq!(ended.look(SessionId(1), 4), Seen::Repeat(Err(ErrorCode::SessionExpired)));
    }
}
