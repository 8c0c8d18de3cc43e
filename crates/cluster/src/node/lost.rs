//! Lives of nodes that are over: they are no hosts any more, and their people are held until they come back elsewhere.
//!
//! Anybody may say so of anybody; the reducer takes the first, for good. A host that lives on all the same, because it
//! was frozen or cut off, reads it, sends its people away and starts anew.

use std::time::{Duration, Instant};

use protocol::event::RoomEvent;
use protocol::{Incarnation, RoomId};

use super::{Node, Output};
use crate::store::{LEASE, Listing};

/// When anybody who knows a room does for it what another one should have done.
const OVERDUE: Duration = LEASE.saturating_mul(3);

impl Node {
    /// Looks once a heartbeat who is gone. What was appended and did not come back is appended again then.
    pub(super) fn registry(&mut self, now: Instant, answer: Option<Listing>) {
        let is_unheard = answer.is_none();
        self.membership.registry(now, answer);
        self.forget_unknown(now);
        if !self.caught_up || self.draining {
            return;
        }
        if is_unheard {
            self.show_life();
        }
        let (mut lost, mut abandoned) = (Vec::<(RoomId, Incarnation)>::new(), Vec::new());
        for (id, hosted) in &self.rooms {
            let mut alive = 0;
            let mut gone = Vec::new();
            // Where the one whose turn it is does nothing: it may not know the room.
            let mut is_overdue = false;
            for (life, node) in hosted.room.hosts() {
                let mine = life == self.incarnation;
                // An earlier life of this very node cannot be alive beside it.
                if !mine && (*node == self.config.node || self.membership.is_gone(now, life)) {
                    gone.push(life);
                    is_overdue |= self.membership.unseen(now, life) >= OVERDUE;
                } else {
                    alive += 1;
                }
            }
            let nobodys = alive == 0 && gone.is_empty() && hosted.room.limits().is_some();
            if nobodys && hosted.room.participants().len() == 0 && self.is_first_for(id) {
                // Its creator died over it. Whoever hosts it ends it.
                abandoned.push(id.clone());
            }
            if !gone.is_empty()
                && (hosted.room.is_host(self.incarnation)
                    || (alive == 0 && (is_overdue || hosted.is_contested || self.is_first_for(id))))
            {
                lost.extend(gone.into_iter().map(|life| (id.clone(), life)));
            }
        }
        for room in abandoned {
            self.announce(&room);
        }
        for (room, incarnation) in lost {
            if let Some(hosted) = self.rooms.get_mut(&room) {
                // What was said a heartbeat ago would be back by now.
                hosted.announced = false;
            }
            self.announce(&room);
            self.append_own(&room, None, RoomEvent::NodeLost { incarnation });
        }
    }

    /// To others, who may still reach the registry, this node is as good as dead: it writes something to the log that
    /// changes nothing.
    fn show_life(&mut self) {
        let hosted = self.rooms.iter().find(|(_, hosted)| hosted.room.is_host(self.incarnation));
        if let Some((room, creation)) = hosted.map(|(id, hosted)| (id.clone(), hosted.room.creation())) {
            let (incarnation, node) = (self.incarnation, self.config.node.clone());
            self.append_own(&room, None, RoomEvent::HostAdded { incarnation, node, creation });
        }
    }

    /// Others have said of this node that it is gone.
    pub(super) fn fence(&mut self) {
        self.draining = true;
        if !std::mem::replace(&mut self.fenced, true) {
            self.outputs.push_back(Output::Fenced);
        }
    }
}
