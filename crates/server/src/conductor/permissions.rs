//! What people may publish, as far as this node followed the log. What the room would refuse must not reach the media
//! before it did; the room has the last word all the same.

use protocol::{ErrorBody, ErrorCode, Role, RoomSettings, Source};

/// Something that the log says, and the number of the event that it is from.
#[derive(Debug, Default)]
pub(super) struct Known<T> {
    seq: u64,
    value: T,
}

impl<T: Copy> Known<T> {
    /// Takes what an event said, unless a later one is known. A snapshot and the log that follows it come by two ways.
    pub(super) fn learn(&mut self, seq: u64, value: T) {
        if seq >= self.seq {
            *self = Self { seq, value };
        }
    }

    /// The room is another one, whose events are numbered anew: whatever is said next counts.
    pub(super) fn doubt(&mut self) {
        self.seq = 0;
    }

    pub(super) fn value(&self) -> T {
        self.value
    }
}

/// What one person may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Permissions {
    pub(super) role: Role,
    pub(super) settings: RoomSettings,
}

impl Permissions {
    pub(super) fn allows(&self, source: Source, paused: bool) -> bool {
        room::may_produce(self.role, &self.settings, source, paused)
    }

    pub(super) fn check(&self, source: Source, paused: bool) -> Result<(), ErrorBody> {
        if self.allows(source, paused) {
            return Ok(());
        }
        let message = format!("the source {}: your role or the room's settings do not allow it", source.as_str());
        Err(ErrorBody::new(ErrorCode::Forbidden, message))
    }

    pub(super) fn check_data(&self) -> Result<(), ErrorBody> {
        if room::may_produce_data(self.role) {
            return Ok(());
        }
        Err(ErrorBody::new(ErrorCode::Forbidden, "viewers open no channels"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_later_counts_whichever_way_was_faster() {
        let mut role = Known::<Role>::default();
        role.learn(7, Role::Viewer);
        role.learn(5, Role::CoHost);
        assert_eq!(role.value(), Role::Viewer);
        role.doubt();
        role.learn(2, Role::Host);
        assert_eq!(role.value(), Role::Host);
    }
}
