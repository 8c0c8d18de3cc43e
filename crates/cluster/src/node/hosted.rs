//! A room and what this node waits for in it.

use std::collections::BTreeMap;
use std::time::Instant;

use protocol::event::{Binding, Record, RequestKey};
use protocol::{ParticipantId, RoomId};
use room::Room;

use super::Ticket;
use super::refounding::Lost;

#[derive(Debug)]
pub(super) struct Hosted {
    pub(super) room: Room,
    /// Records below it were applied.
    pub(super) next_offset: u64,
    /// A newer node's event was set aside: others know more of the room, and this node writes nothing down.
    pub(super) lacks_events: bool,
    /// Somebody who does not know this room founded another of its name, and has not been told yet.
    pub(super) is_contested: bool,
    /// The log lost records that are in the room.
    pub(super) lost: Option<Lost>,
    /// `RoomCreated` and `HostAdded` are on their way.
    pub(super) announced: bool,
    pub(super) pending: BTreeMap<RequestKey, Pending>,
    /// Bindings without a socket that the room does not know to be held.
    pub(super) broken: BTreeMap<ParticipantId, Broken>,
}

/// A binding without a socket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Broken {
    pub(super) binding: Binding,
    /// Its page said that it is being closed.
    pub(super) closing: bool,
}

/// A proposal whose record is not back yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) ticket: Ticket,
    pub(super) record: Record,
    /// How often it was appended.
    pub(super) attempts: u8,
    pub(super) deadline: Instant,
}

impl Hosted {
    pub(super) fn new(id: RoomId) -> Self {
        Self {
            room: Room::new(id),
            next_offset: 0,
            lacks_events: false,
            is_contested: false,
            lost: None,
            announced: false,
            pending: BTreeMap::new(),
            broken: BTreeMap::new(),
        }
    }

    /// Whether nothing would be lost if it were forgotten.
    pub(super) fn is_idle(&self) -> bool {
        self.room.limits().is_none() && self.pending.is_empty() && self.lost.is_none()
    }
}
