//! The way down: everybody goes on at other nodes first, and only who has not by then is sent away.

use std::time::{Duration, Instant};

use protocol::{ErrorCode, Notification};

use super::{Conductor, Shared};
use crate::phase::Phase;

/// How often people are asked to move, and whether all are gone is looked at.
const STEP: Duration = Duration::from_millis(100);
/// How many are asked in one step at least, and in how many steps all are.
const ASKED_MIN: usize = 1;
const STEPS: usize = 100;
/// When those who are still here are asked again.
const ASK_AGAIN: Duration = Duration::from_secs(4);
/// How often the server looks whether all sockets are closed, at the end.
const CLOSE_POLL: Duration = Duration::from_millis(20);

impl Conductor {
    /// Takes nobody any more, and has everybody go on at other nodes, if there are any: a few at a time, so that these
    /// are not run over. Returns when nobody is left, or at the deadline.
    pub async fn drain(&self, deadline: Duration) {
        let shared = &self.0;
        shared.phase.enter(Phase::Draining);
        shared.rooms.drain();
        if deadline.is_zero() || !shared.rooms.has_others().await {
            return;
        }
        let people = shared.registry().counts().members;
        tracing::info!(people, "people are asked to go on at other nodes");
        if tokio::time::timeout(deadline, shared.move_people(Why::GoesDown)).await.is_err() {
            let people = shared.registry().counts().sockets;
            tracing::warn!(people, "these people have not gone on at other nodes in time, and are sent away");
        }
    }

    /// Tells everybody who is left that the server goes down, and closes their sockets.
    pub fn close(&self) {
        self.0.phase.enter(Phase::Draining);
        self.0.rooms.drain();
        self.0.registry().outboxes().for_each(|outbox| outbox.close(ErrorCode::Draining));
    }

    /// Waits until no socket is open, after [`Conductor::close`].
    pub async fn closed(&self) {
        while self.0.signaling.snapshot().value("signaling_sockets_open").is_some_and(|open| open > 0) {
            tokio::time::sleep(CLOSE_POLL).await;
        }
    }
}

/// Why people have to go on at another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    GoesDown,
    CutOff,
}

impl Shared {
    async fn holds(&self, why: Why) -> bool {
        match why {
            // Who has no socket comes back elsewhere in any case. The others may all go down too.
            Why::GoesDown => !self.registry().is_left() && self.rooms.has_others().await,
            Why::CutOff => self.look_for_the_log(),
        }
    }

    /// Asks everybody who is connected to go on at another node, a few at a time, as long as there is a reason. Who could
    /// not go when they were asked are asked again.
    pub(super) async fn move_people(&self, why: Why) {
        while self.holds(why).await {
            let outboxes: Vec<_> = self.registry().outboxes().cloned().collect();
            for some in outboxes.chunks(outboxes.len().div_ceil(STEPS).max(ASKED_MIN)) {
                for outbox in some {
                    // One that reads too slowly is closed by that, and its client comes back elsewhere.
                    let _ = outbox.notify(Notification::MoveRequested {});
                }
                tokio::time::sleep(STEP).await;
                if !self.holds(why).await {
                    return;
                }
            }
            let asked = Instant::now();
            while asked.elapsed() < ASK_AGAIN && self.holds(why).await {
                tokio::time::sleep(STEP).await;
            }
        }
    }
}
