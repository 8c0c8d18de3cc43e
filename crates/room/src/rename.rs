//! `Renamed`, and what a name may be.

use protocol::ErrorCode;
use protocol::event::Record;

use crate::apply::{Effect, Verdict};
use crate::change::Change;
use crate::state::Room;

pub(crate) fn renamed(room: &mut Room, record: &Record, name: &str) -> Verdict {
    check(room, name)?;
    let participant = room.bound(record)?;
    if participant.name == name {
        return Ok(Effect::default());
    }
    name.clone_into(&mut participant.name);
    Ok(Change::Renamed { participant: participant.id(), name: name.to_owned() }.into())
}

/// 1 byte to the room's limit. Trimming is the signalling's: what counts as white space differs between
/// versions of Unicode, and with it between nodes.
pub(crate) fn check(room: &Room, name: &str) -> Result<(), ErrorCode> {
    let bytes_max = room.limits.map_or(0, |limits| limits.name_bytes_max);
    if name.is_empty() || name.len() as u64 > u64::from(bytes_max) {
        return Err(ErrorCode::BadRequest);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use protocol::event::RoomEvent;

    use super::*;
    use crate::testing::{Story, changes, rejected};

    #[test]
    fn a_new_name_is_seen_and_the_same_one_is_not() {
        let mut story = Story::new();
        let a = story.joined(1);
        let rename = |name: &str| RoomEvent::Renamed { name: name.to_owned() };
        let renamed = Change::Renamed { participant: a.participant, name: "Anna".to_owned() };
        assert_eq!(changes(&story.ask(a, 1, rename("Anna"))), [renamed]);
        assert_eq!(changes(&story.ask(a, 2, rename("Anna"))), []);
        assert_eq!(story.ask(a, 3, rename("")), rejected(ErrorCode::BadRequest));
        assert_eq!(story.view(1).name, "Anna");
    }
}
