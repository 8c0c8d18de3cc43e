//! Lives of nodes that are over: they are no hosts any more, and their people are held until they come back elsewhere.
//!
//! Anybody may say so of anybody; the reducer takes the first, for good. A host that lives on all the same, because it
//! was frozen or cut off, reads it, sends its people away and starts anew.

use std::time::Instant;

use protocol::event::RoomEvent;
use protocol::{Incarnation, RoomId};

use super::{Node, Output};
use crate::store::NodeEntry;

impl Node {
    /// Looks once a heartbeat who is gone. What was appended and did not come back is appended again then.
    pub(super) fn registry(&mut self, now: Instant, answer: Option<Vec<NodeEntry>>) {
        self.membership.registry(now, answer);
        if !self.caught_up || self.draining {
            return;
        }
        let mut lost = Vec::<(RoomId, Incarnation)>::new();
        for (id, hosted) in &self.rooms {
            let mut alive = 0;
            let mut gone = Vec::new();
            for (life, node) in hosted.room.hosts() {
                let mine = life == self.incarnation;
                // An earlier life of this very node cannot be alive beside it.
                if !mine && (*node == self.config.node || self.membership.is_gone(now, life)) {
                    gone.push(life);
                } else {
                    alive += 1;
                }
            }
            if !gone.is_empty() && (hosted.room.is_host(self.incarnation) || (alive == 0 && self.is_first_for(id))) {
                lost.extend(gone.into_iter().map(|life| (id.clone(), life)));
            }
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

    /// Others have said of this node that it is gone.
    pub(super) fn fence(&mut self) {
        self.draining = true;
        if !std::mem::replace(&mut self.fenced, true) {
            self.outputs.push_back(Output::Fenced);
        }
    }
}
