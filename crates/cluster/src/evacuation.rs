//! Whether the people of a node have to go on at another one, because it is cut off from the log, sans-IO.
//!
//! A node that the log does not answer asks the others over their links whether they reach it. Where one does, this node
//! is cut off, and its people can do there what they cannot do here. Where none says so, the log is away for all, and
//! nobody gains by a move.
//!
//! Feed it with [`Evacuation::handle`], [`Input::Log`] several times a second, and send what [`Evacuation::poll_output`]
//! gives.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use protocol::Incarnation;
use serde::{Deserialize, Serialize};

/// How long the log does not answer until the others are asked. One that restarts is back by then.
pub const ASK_AFTER: Duration = Duration::from_secs(5);
/// Between two questions. An answer that takes longer is none.
pub const ASK_AGAIN: Duration = Duration::from_secs(1);
/// For how long an answer counts: two more may be lost.
pub const ANSWER_COUNTS: Duration = Duration::from_secs(3);
/// A node whose log answered less than this ago, and has for [`ASK_AFTER`], says that it reaches it: it looks every second,
/// and an answer may take two.
pub const FRESH: Duration = Duration::from_secs(3);

/// What nodes tell each other about the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Message {
    /// The log does not answer me. Do you reach it?
    LogAsked {
        /// To know the answer by.
        n: u64,
    },
    /// The answer.
    LogAnswered {
        /// To what.
        n: u64,
        /// Whether the log answers the sender, and people may go on there.
        takes_people: bool,
    },
}

/// What the machine is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The link to another node is there.
    Up(Incarnation),
    /// It is gone.
    Down(Incarnation),
    /// Something came over it.
    Message(Incarnation, Message),
    /// How the log does here.
    Log {
        /// For how long it has not answered.
        silence: Duration,
        /// Whether this node takes people as long as it does.
        takes_people: bool,
    },
}

/// The question of one node that is cut off, and the answers of the others.
#[derive(Debug, Default)]
pub struct Evacuation {
    peers: BTreeSet<Incarnation>,
    /// How the log did here, and when that was said.
    log: Option<(Instant, Duration)>,
    takes_people: bool,
    /// Since when the log has answered here without a gap of [`FRESH`].
    steady_since: Option<Instant>,
    last_n: u64,
    /// When the newest question was asked, while the log does not answer.
    asked: Option<Instant>,
    /// A node takes people; until when that counts.
    offered_until: Option<Instant>,
    outputs: VecDeque<(Incarnation, Message)>,
}

impl Evacuation {
    /// Takes one input.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Up(life) => _ = self.peers.insert(life),
            Input::Down(life) => _ = self.peers.remove(&life),
            Input::Message(life, Message::LogAsked { n }) => {
                // After an outage of all some nodes see its end a moment before the others.
                let is_steady = self.steady_since.is_some_and(|since| now >= since + ASK_AFTER);
                let takes_people = self.takes_people && is_steady && self.silence(now) < FRESH;
                self.outputs.push_back((life, Message::LogAnswered { n, takes_people }));
            }
            Input::Message(_, Message::LogAnswered { n, takes_people }) => {
                let asked = self.asked.filter(|asked| n == self.last_n && now < *asked + ASK_AGAIN);
                if let Some(asked) = asked.filter(|_| takes_people) {
                    self.offered_until = Some(asked + ANSWER_COUNTS);
                }
            }
            Input::Log { silence, takes_people } => {
                let is_fresh = silence < FRESH && self.log.is_none_or(|(said, _)| now < said + FRESH);
                self.steady_since = if is_fresh { self.steady_since.or(Some(now)) } else { None };
                self.log = Some((now, silence));
                self.takes_people = takes_people;
                self.ask(now, silence);
            }
        }
    }

    /// Whether people have to go on elsewhere now.
    pub fn is_due(&self, now: Instant) -> bool {
        self.offered_until.is_some_and(|until| now < until)
    }

    /// The next message, and to whom.
    pub fn poll_output(&mut self) -> Option<(Incarnation, Message)> {
        self.outputs.pop_front()
    }

    fn ask(&mut self, now: Instant, silence: Duration) {
        if silence < ASK_AFTER {
            (self.asked, self.offered_until) = (None, None);
        } else if self.asked.is_none_or(|asked| now >= asked + ASK_AGAIN) {
            self.asked = Some(now);
            self.last_n += 1;
            let question = Message::LogAsked { n: self.last_n };
            self.outputs.extend(self.peers.iter().map(|life| (*life, question)));
        }
    }

    fn silence(&self, now: Instant) -> Duration {
        let since = |(said, silence): (Instant, Duration)| silence.saturating_add(now.saturating_duration_since(said));
        self.log.map_or(Duration::MAX, since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(250);

    /// Three nodes; when the log answered each last, and whether it does.
    struct Cluster {
        now: Instant,
        nodes: [Evacuation; 3],
        answered: [Instant; 3],
        reached: [bool; 3],
        cut: bool,
    }

    impl Cluster {
        fn new() -> Self {
            let now = Instant::now();
            let mut nodes = <[Evacuation; 3]>::default();
            for (own, node) in nodes.iter_mut().enumerate() {
                let others = (0..3).filter(|other| *other != own);
                others.for_each(|other| node.handle(now, Input::Up(life(other))));
            }
            let mut cluster = Self { now, nodes, answered: [now; 3], reached: [true; 3], cut: false };
            cluster.pass(ASK_AFTER + STEP);
            cluster
        }

        fn pass(&mut self, time: Duration) {
            for _ in 0..time.as_millis() / STEP.as_millis() {
                self.now += STEP;
                for node in 0..3 {
                    if self.reached[node] {
                        self.answered[node] = self.now;
                    }
                    let silence = self.now - self.answered[node];
                    self.nodes[node].handle(self.now, Input::Log { silence, takes_people: true });
                }
                self.deliver();
            }
        }

        fn deliver(&mut self) {
            for from in [0, 1, 2, 0] {
                while let Some((to, message)) = self.nodes[from].poll_output() {
                    if !self.cut {
                        let to = usize::try_from(to.0).unwrap();
                        self.nodes[to].handle(self.now, Input::Message(life(from), message));
                    }
                }
            }
        }

        fn due(&self) -> [bool; 3] {
            [0, 1, 2].map(|node| self.nodes[node].is_due(self.now))
        }
    }

    fn life(node: usize) -> Incarnation {
        Incarnation(node as u128)
    }

    #[test]
    fn a_node_that_the_log_does_not_answer_while_it_does_others_is_left_until_it_does() {
        let mut cluster = Cluster::new();
        cluster.reached = [false, true, false];
        cluster.pass(ASK_AFTER - STEP);
        assert_eq!(cluster.due(), [false; 3], "too early");
        cluster.pass(STEP * 2);
        assert_eq!(cluster.due(), [true, false, true]);
        cluster.pass(Duration::from_secs(60));
        assert_eq!(cluster.due(), [true, false, true]);
        cluster.reached[0] = true;
        cluster.pass(STEP);
        assert_eq!(cluster.due(), [false, false, true]);
    }

    #[test]
    fn nobody_is_moved_when_the_log_is_away_for_all() {
        let mut cluster = Cluster::new();
        cluster.reached = [false; 3];
        for _ in 0..240 {
            cluster.pass(STEP);
            assert_eq!(cluster.due(), [false; 3]);
        }
    }

    #[test]
    fn nobody_is_moved_because_some_see_the_end_of_an_outage_before_others() {
        let mut cluster = Cluster::new();
        cluster.reached = [false; 3];
        cluster.pass(Duration::from_secs(30));
        for node in [1, 0, 2] {
            cluster.reached[node] = true;
            for _ in 0..8 {
                cluster.pass(STEP);
                assert_eq!(cluster.due(), [false; 3]);
            }
        }
    }

    #[test]
    fn nobody_is_moved_to_where_the_log_answers_now_and_then() {
        let mut cluster = Cluster::new();
        cluster.reached[0] = false;
        for at in 0..120 {
            cluster.reached[1] = at % 16 < 2;
            cluster.reached[2] = at % 16 == 8;
            cluster.pass(STEP);
            // What was said before they became so counts for a while.
            assert!(at < 40 || cluster.due() == [false; 3], "{at}");
        }
    }

    #[test]
    fn a_move_ends_when_the_log_goes_away_for_the_others_too() {
        let mut cluster = Cluster::new();
        cluster.reached[0] = false;
        cluster.pass(Duration::from_secs(10));
        assert!(cluster.due()[0]);
        cluster.reached = [false; 3];
        cluster.pass(FRESH + ANSWER_COUNTS + STEP);
        assert_eq!(cluster.due(), [false; 3]);
    }

    #[test]
    fn a_node_that_reaches_no_other_keeps_its_people() {
        let mut cluster = Cluster::new();
        (cluster.reached[0], cluster.cut) = (false, true);
        cluster.pass(Duration::from_secs(30));
        assert_eq!(cluster.due(), [false; 3]);
        cluster.cut = false;
        cluster.pass(ASK_AGAIN + STEP);
        assert!(cluster.due()[0]);
    }

    #[test]
    fn a_link_that_is_down_is_not_asked_over() {
        let mut node = Evacuation::default();
        let now = Instant::now();
        node.handle(now, Input::Up(life(1)));
        node.handle(now, Input::Down(life(1)));
        node.handle(now, Input::Log { silence: ASK_AFTER, takes_people: true });
        assert_eq!(node.poll_output(), None);
    }

    #[test]
    fn an_answer_that_comes_late_or_to_another_question_does_not_count() {
        let mut node = Evacuation::default();
        let mut now = Instant::now();
        node.handle(now, Input::Up(life(1)));
        let answer = |n| Input::Message(life(1), Message::LogAnswered { n, takes_people: true });
        node.handle(now, answer(0));
        node.handle(now, Input::Log { silence: ASK_AFTER, takes_people: true });
        assert_eq!(node.poll_output(), Some((life(1), Message::LogAsked { n: 1 })));
        node.handle(now, answer(2));
        now += ASK_AGAIN;
        node.handle(now, answer(1));
        assert!(!node.is_due(now));
        node.handle(now, Input::Log { silence: ASK_AFTER, takes_people: true });
        node.handle(now, answer(2));
        assert!(node.is_due(now));
    }

    #[test]
    fn who_starts_drains_or_has_not_heard_of_the_log_takes_nobody() {
        let (mut node, mut now) = (Evacuation::default(), Instant::now());
        // After so much time in which it was told this again and again, or nothing.
        let mut asked = |input: Option<Input>, time: Duration| {
            for _ in 0..time.as_millis() / STEP.as_millis() {
                now += STEP;
                input.into_iter().for_each(|input| node.handle(now, input));
            }
            node.handle(now, Input::Message(life(1), Message::LogAsked { n: 7 }));
            match node.poll_output() {
                Some((to, Message::LogAnswered { n: 7, takes_people })) if to == life(1) => takes_people,
                other => panic!("no answer: {other:?}"),
            }
        };
        assert!(!asked(None, Duration::ZERO), "it has just begun");
        let log = |takes_people| Some(Input::Log { silence: STEP, takes_people });
        assert!(!asked(log(false), ASK_AFTER + STEP));
        assert!(asked(log(true), STEP));
        assert!(!asked(Some(Input::Log { silence: FRESH, takes_people: true }), STEP));
        assert!(!asked(log(true), ASK_AFTER), "it was away a moment ago");
        assert!(asked(log(true), STEP));
        assert!(!asked(None, FRESH), "what is known of the log is too old");
    }
}
