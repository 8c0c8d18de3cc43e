//! What applying a record leads to.

use protocol::event::Binding;
use protocol::snapshot::{ChatMessage, DataProducerView, ParticipantView, ProducerView, WaitingView};
use protocol::{DataProducerId, ErrorCode, ParticipantId, ProducerId, Role, RoomSettings, Source};
use serde::{Deserialize, Serialize};

/// The verdict over one record. Only [`Outcome::Accepted`] changed the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It counts.
    Accepted {
        /// The answer to who asked.
        accepted: Accepted,
        /// What members and media must follow, in this order. May be empty.
        changes: Vec<Change>,
    },
    /// The rules say no.
    Rejected(ErrorCode),
    /// An earlier record carried the same key; this is what came of that one.
    Repeated(Result<Accepted, ErrorCode>),
    /// There is no room: it was not created yet, or it has ended.
    NoRoom,
    /// Written under other rules than this binary has; not judged.
    SetAside,
}

/// The answer to an accepted request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The room's count of accepted events, this one included.
    pub seq: u64,
    /// The binding that a join or resume made.
    pub binding: Option<Binding>,
}

/// One thing that is different now. All changes of one event share its sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Somebody new is in.
    Joined {
        /// Who.
        participant: ParticipantView,
        /// The node that speaks for them.
        binding: Binding,
    },
    /// Somebody new waits to be let in, or who waits has another name. Only hosts see it.
    WaitingAdded {
        /// Who.
        waiting: WaitingView,
        /// The node that speaks for them.
        binding: Binding,
    },
    /// Somebody does not wait any more: they are in (`Joined` follows, with the binding that they have), or gone.
    WaitingRemoved {
        /// Who.
        participant: ParticipantId,
        /// Why they are gone.
        reason: Option<LeaveReason>,
    },
    /// Who waits, for somebody who is the host or a co-host from now on.
    WaitingListed {
        /// For whom.
        participant: ParticipantId,
        /// In the order in which they came.
        waiting: Vec<WaitingView>,
    },
    /// A participant's socket broke. Members see nothing of it.
    Held {
        /// The binding that broke.
        binding: Binding,
    },
    /// A participant came back or was taken over: bindings with a lower number are over. Members see nothing of it.
    Returned {
        /// The binding in force.
        binding: Binding,
    },
    /// A participant is gone, and their producers with them (there is no `ProducerClosed` or
    /// `DataProducerClosed` for those).
    Left {
        /// Who.
        participant: ParticipantId,
        /// Why.
        reason: LeaveReason,
    },
    /// A source is published; or published again, then with the same id as before.
    ProducerAdded {
        /// Whose.
        participant: ParticipantId,
        /// What.
        producer: ProducerView,
    },
    /// Somebody else muted a producer that is muted. Its media is to be so whatever its client did; nobody is told.
    ProducerStaysPaused {
        /// Which.
        producer: ProducerId,
    },
    /// Muted.
    ProducerPaused {
        /// Which.
        producer: ProducerId,
        /// Who did it, if it was somebody else.
        by: Option<ParticipantId>,
    },
    /// Unmuted.
    ProducerResumed {
        /// Which.
        producer: ProducerId,
    },
    /// No longer published.
    ProducerClosed {
        /// Which.
        producer: ProducerId,
        /// Who did it, if it was somebody else.
        by: Option<ParticipantId>,
    },
    /// A channel was opened.
    DataProducerAdded {
        /// Whose.
        participant: ParticipantId,
        /// What.
        data_producer: DataProducerView,
    },
    /// A channel is closed.
    DataProducerClosed {
        /// Which.
        data_producer: DataProducerId,
    },
    /// A participant has another name.
    Renamed {
        /// Who.
        participant: ParticipantId,
        /// What others read.
        name: String,
    },
    /// A hand is up.
    HandRaised {
        /// Whose.
        participant: ParticipantId,
        /// The number of this event, which is their place in the queue.
        order: u64,
    },
    /// A hand is down again.
    HandLowered {
        /// Whose.
        participant: ParticipantId,
        /// Who did it, if it was somebody else.
        by: Option<ParticipantId>,
    },
    /// A participant may do other things than before.
    RoleChanged {
        /// Who.
        participant: ParticipantId,
        /// What they are now.
        role: Role,
        /// Who gave it to them; nobody where they come after a host who is gone.
        by: Option<ParticipantId>,
    },
    /// The room is set otherwise.
    SettingsChanged {
        /// How.
        settings: RoomSettings,
        /// By whom.
        by: ParticipantId,
    },
    /// A participant is asked to unmute; nobody else needs to know.
    AskedToUnmute {
        /// Who.
        participant: ParticipantId,
        /// What.
        source: Source,
        /// By whom.
        by: ParticipantId,
    },
    /// The room is another than everything that was told of it before: a host adopted what the others have. No rule
    /// makes this; crate `cluster` does.
    Replaced,
    /// Somebody wrote to the room.
    ChatSent {
        /// What.
        message: ChatMessage,
    },
    /// Everybody in the room can receive other video codecs than before: these.
    VideoCodecsChanged {
        /// The server's first choice first.
        video_codecs: Vec<String>,
    },
    /// Nobody is in; the room is over.
    Ended,
}

/// Why a participant is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveReason {
    /// They left.
    Left,
    /// Their socket broke and they were away for the whole grace time.
    GraceExpired,
    /// They were sent out.
    Removed {
        /// By whom.
        by: ParticipantId,
    },
    /// They were not let in.
    Denied,
    /// The host ended the meeting.
    MeetingEnded,
}
