//! What came of a session's requests, so that a repeated number is answered and not carried out again.

use std::collections::VecDeque;

use protocol::{ErrorBody, ErrorCode, Reply};

/// How many outcomes are kept.
const OUTCOMES_MAX: usize = 64;
/// How many consumers all kept outcomes may describe; a description has a few kilobytes.
const CONSUMERS_MAX: usize = 400;

/// The newest outcomes of one session.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    kept: VecDeque<(u64, Result<Reply, ErrorBody>)>,
    /// The highest number whose outcome was forgotten.
    forgotten: u64,
    consumers: usize,
}

/// What is known of a request.
#[derive(Debug)]
pub(super) enum Known {
    /// Nothing: carry it out.
    New,
    /// This came of it.
    Outcome(Result<Reply, ErrorBody>),
    /// It was carried out or refused so long ago that nobody knows.
    Forgotten,
}

impl Outcomes {
    /// What is known of request `n`.
    pub(super) fn look(&self, n: u64) -> Known {
        match self.kept.iter().find(|(kept, _)| *kept == n) {
            Some((_, outcome)) => Known::Outcome(outcome.clone()),
            None if n <= self.forgotten => Known::Forgotten,
            None => Known::New,
        }
    }

    /// Keeps what came of request `n`, unless repeating it may bring something else.
    pub(super) fn keep(&mut self, n: u64, outcome: &Result<Reply, ErrorBody>) {
        if outcome.as_ref().is_err_and(|error| error.retryable || error.code == ErrorCode::Superseded) {
            return;
        }
        self.consumers += consumers(outcome);
        self.kept.push_back((n, outcome.clone()));
        while self.kept.len() > OUTCOMES_MAX || (self.consumers > CONSUMERS_MAX && self.kept.len() > 1) {
            if let Some((n, outcome)) = self.kept.pop_front() {
                self.consumers -= consumers(&outcome);
                self.forgotten = self.forgotten.max(n);
            }
        }
    }
}

fn consumers(outcome: &Result<Reply, ErrorBody>) -> usize {
    match outcome {
        Ok(Reply::Consume { consumers }) => consumers.len(),
        Ok(Reply::ConsumeData { data_consumers }) => data_consumers.len(),
        Ok(Reply::Stats(stats)) => stats.producers.len() + stats.consumers.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use protocol::request::ConsumeResult;
    use protocol::{ParticipantId, ProducerId, Source};

    use super::*;

    fn refused(code: ErrorCode) -> Result<Reply, ErrorBody> {
        Err(ErrorBody::new(code, "no"))
    }

    #[test]
    fn a_repeated_number_gets_the_outcome_and_an_old_one_is_forgotten() {
        let mut outcomes = Outcomes::default();
        for n in 1..=100 {
            outcomes.keep(n, &Ok(Reply::Done {}));
        }
        assert!(matches!(outcomes.look(36), Known::Forgotten));
        assert!(matches!(outcomes.look(37), Known::Outcome(Ok(Reply::Done {}))));
        assert!(matches!(outcomes.look(101), Known::New));
    }

    #[test]
    fn what_may_succeed_later_is_not_kept() {
        let mut outcomes = Outcomes::default();
        outcomes.keep(1, &refused(ErrorCode::LogUnavailable));
        outcomes.keep(2, &refused(ErrorCode::NotFound));
        outcomes.keep(3, &refused(ErrorCode::Superseded));
        assert!([1, 3].iter().all(|n| matches!(outcomes.look(*n), Known::New)));
        assert!(matches!(outcomes.look(2), Known::Outcome(Err(_))));
    }

    #[test]
    fn large_outcomes_are_forgotten_earlier() {
        let producer_id = ProducerId { participant: ParticipantId(1), source: Source::Mic };
        let error = ErrorBody::new(ErrorCode::NotFound, "no");
        let consumers = vec![ConsumeResult::Refused { producer_id, error }; 100];
        let mut outcomes = Outcomes::default();
        for n in 1..=10 {
            outcomes.keep(n, &Ok(Reply::Consume { consumers: consumers.clone() }));
        }
        assert!(matches!(outcomes.look(6), Known::Forgotten));
        assert!(matches!(outcomes.look(7), Known::Outcome(Ok(_))));
    }
}
