//! The rules of a conference, sans-IO: a deterministic reducer over room events.
//!
//! Every host of a room applies the same records in the same order with [`apply`](fn) and so comes to the same
//! [`Room`] and the same [`Outcome`]s; whatever could conflict (who is in, who may write, which of two
//! requests was first) is decided here, without locks. [`apply`](fn) is total: any record, however wrong, is
//! accepted, rejected or set aside. It uses ordered maps and no floats and takes nothing from outside the record.
//!
//! What is not here: sockets, media, logs, and *when* to append an event (crate `cluster`).

mod apply;
mod change;
mod chat;
mod hands;
mod hold;
mod host;
mod join;
mod leave;
mod moderation;
mod permissions;
mod produce;
mod produce_data;
mod refound;
mod removal;
mod rename;
mod requests;
mod resume;
mod roles;
mod settings;
mod state;
mod video_codecs;

#[cfg(test)]
mod testing;

pub use apply::apply;
pub use change::{Accepted, Change, LeaveReason, Outcome};
pub use permissions::{may_produce, may_produce_data};
pub use state::{Participant, Producer, Room};

/// The version of these rules. A room keeps the version that it was created with.
///
/// 2: a room knows its creation, and a host names the one that it builds on.
/// 3: people have roles and hands, and a room has settings.
pub const RULES: u16 = 3;
/// The oldest version whose records are read, as they were meant.
pub const RULES_OLDEST: u16 = 1;
/// Whether records of these rules are read.
pub fn knows(rules: u16) -> bool {
    (RULES_OLDEST..=RULES).contains(&rules)
}

/// From this version on a room knows its creation.
const RULES_CREATION: u16 = 2;
/// From this version on people have roles and a room has settings.
const RULES_ROLES: u16 = 3;
