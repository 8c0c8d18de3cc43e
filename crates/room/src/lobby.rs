//! `Admitted` and `Denied`: who waits to be let in, and who lets them in.
//!
//! Who waits is a participant like any other (held, resumed, of a node that is lost) whom nobody sees but the host and
//! co-hosts, and who may do nothing but leave.

use std::collections::BTreeSet;

use protocol::event::{Record, RoomEvent};
use protocol::snapshot::WaitingView;
use protocol::{ErrorCode, ParticipantId, Role};

use crate::apply::{Effect, Verdict};
use crate::change::{Change, LeaveReason};
use crate::roles::moderator;
use crate::state::{Participant, Room, Waiting};
use crate::video_codecs;

/// People who wait at a time.
const WAITING_MAX: usize = 100;
/// Addresses that are remembered of those who were removed for good.
const BANNED_MAX: usize = 256;

/// Whether whoever enters now has to wait. Nobody waits where nobody could let them in.
pub(crate) fn has_to_wait(room: &Room, address_tag: Option<u64>) -> Result<Option<Waiting>, ErrorCode> {
    let removed_before = address_tag.is_some_and(|tag| room.banned.contains(&tag));
    let lobby = room.settings.is_some_and(|settings| settings.lobby);
    if room.inside().next().is_none() || !(lobby || removed_before) {
        return Ok(None);
    }
    if people(room).count() >= WAITING_MAX {
        return Err(ErrorCode::RoomFull);
    }
    Ok(Some(Waiting { removed_before }))
}

/// Remembers where somebody came from who was removed for good.
pub(crate) fn ban(room: &mut Room, address_tag: u64) {
    if room.banned.contains(&address_tag) {
        return;
    }
    room.banned.push_back(address_tag);
    if room.banned.len() > BANNED_MAX {
        room.banned.pop_front();
    }
}

/// Who waits may leave, and nothing else.
pub(crate) fn check(room: &Room, record: &Record) -> Result<(), ErrorCode> {
    let whose = record.binding.and_then(|binding| room.participants.get(&binding.participant));
    let waits = whose.is_some_and(|participant| participant.waiting.is_some());
    if waits && !matches!(record.event, RoomEvent::Left {}) { Err(ErrorCode::WrongState) } else { Ok(()) }
}

pub(crate) fn admitted(room: &mut Room, record: &Record, target: Option<ParticipantId>) -> Verdict {
    moderator(room, record)?;
    let waiting = people(room).map(Participant::id).collect::<Vec<_>>();
    let wanted = match target {
        Some(target) => vec![*waiting.iter().find(|id| **id == target).ok_or(ErrorCode::NotFound)?],
        None => waiting,
    };
    let participants_max = room.limits.map_or(0, |limits| limits.participants_max);
    let places = (participants_max as usize).saturating_sub(room.inside().count());
    if places == 0 && !wanted.is_empty() {
        return Err(ErrorCode::RoomFull);
    }
    let mut changes: Vec<Change> =
        wanted.into_iter().take(places).flat_map(|id| enter(room, id, Role::Participant)).collect();
    changes.extend(video_codecs::agree(room));
    Ok(Effect { binding: None, changes })
}

pub(crate) fn denied(room: &mut Room, record: &Record, target: ParticipantId) -> Verdict {
    moderator(room, record)?;
    if !people(room).any(|participant| participant.id() == target) {
        return Err(ErrorCode::NotFound);
    }
    room.remove(target, ErrorCode::Denied);
    Ok(Change::WaitingRemoved { participant: target, reason: Some(LeaveReason::Denied) }.into())
}

/// Lets the one in who waits longest, as the host, because nobody is left who could; one who was sent out before only if
/// nobody else waits. What was written is not for who was not let in to it.
pub(crate) fn open(room: &mut Room) -> Vec<Change> {
    let was_removed = |one: &Participant| one.waiting.as_ref().is_some_and(|waiting| waiting.removed_before);
    let next = people(room).find(|one| !was_removed(one)).or_else(|| people(room).next()).map(Participant::id);
    room.chat.clear();
    next.map(|id| enter(room, id, Role::Host)).unwrap_or_default()
}

/// Those who wait, in the order in which they came, as hosts see them.
pub(crate) fn waiting(room: &Room) -> Vec<WaitingView> {
    people(room).filter_map(Participant::waiting_view).collect()
}

/// What somebody is told who has just become the host or a co-host.
pub(crate) fn listed(room: &Room, participant: ParticipantId, before: Role) -> Option<Change> {
    let waiting = waiting(room);
    let news = before > Role::CoHost && !waiting.is_empty();
    news.then_some(Change::WaitingListed { participant, waiting })
}

fn people(room: &Room) -> impl Iterator<Item = &Participant> {
    let waiting = room.participants.values().filter(|participant| participant.waiting.is_some());
    let by_joining: BTreeSet<_> = waiting.map(|participant| (participant.joined, participant.id())).collect();
    by_joining.into_iter().filter_map(|(_, id)| room.participants.get(&id))
}

fn enter(room: &mut Room, id: ParticipantId, role: Role) -> Vec<Change> {
    // Whoever is in already came in before them.
    let joined = room.next_number();
    let Some(participant) = room.participants.get_mut(&id) else { return Vec::new() };
    (participant.waiting, participant.role, participant.joined) = (None, role, joined);
    let joined = Change::Joined { participant: participant.view(), binding: participant.binding };
    vec![Change::WaitingRemoved { participant: id, reason: None }, joined]
}

#[cfg(test)]
mod tests {
    use protocol::event::Binding;
    use protocol::{Setting, Source};

    use super::*;
    use crate::change::Outcome;
    use crate::testing::{HERE, Story, THERE, accepted, binding, changes, produce, rejected, set_role, switch};

    /// A host, and somebody who waits.
    fn lobby() -> (Story, Binding, Binding) {
        let mut story = Story::new();
        let a = story.joined(1);
        story.own(HERE, Some(a), switch(Setting::Lobby, true));
        let b = story.joined(2);
        (story, a, b)
    }

    fn admit(whom: Option<Binding>) -> RoomEvent {
        RoomEvent::Admitted { target: whom.map(|whom| whom.participant) }
    }

    fn view(whom: Binding) -> WaitingView {
        WaitingView { id: whom.participant, name: "P".to_owned(), removed_before: false }
    }

    fn inside(story: &Story) -> Vec<u64> {
        story.room.snapshot().participants.iter().map(|participant| participant.id.0).collect()
    }

    #[test]
    fn who_waits_is_seen_by_hosts_only_and_may_do_nothing_but_leave() {
        let (mut story, _, b) = lobby();
        let outcome = story.join(3, 3);
        let c = binding(&outcome);
        assert_eq!(changes(&outcome), [Change::WaitingAdded { waiting: view(c), binding: c }]);
        assert_eq!(inside(&story), [1]);
        assert_eq!(story.room.snapshot().waiting, [view(b), view(c)]);
        for (n, event) in (1..).zip([produce(Source::Mic), RoomEvent::HandRaised {}, admit(None)]) {
            assert_eq!(story.ask(b, n, event), rejected(ErrorCode::WrongState));
        }
        let removed = Change::WaitingRemoved { participant: b.participant, reason: Some(LeaveReason::Left) };
        assert_eq!(changes(&story.ask(b, 9, RoomEvent::Left {})), [removed]);
    }

    #[test]
    fn who_is_admitted_is_in_under_the_binding_that_they_have() {
        let (mut story, a, b) = lobby();
        let outcome = story.ask(a, 1, admit(Some(b)));
        let removed = Change::WaitingRemoved { participant: b.participant, reason: None };
        let joined = Change::Joined { participant: story.view(2), binding: b };
        assert_eq!(changes(&outcome), [removed, joined]);
        assert_eq!(story.view(2).role, Role::Participant);
        accepted(&story.ask(b, 1, produce(Source::Mic)));
        assert_eq!(story.ask(a, 2, admit(Some(b))), rejected(ErrorCode::NotFound));
        assert_eq!(story.ask(b, 2, admit(None)), rejected(ErrorCode::Forbidden));
    }

    #[test]
    fn all_who_wait_are_admitted_as_far_as_there_is_room() {
        let (mut story, a, b) = lobby();
        let (c, d) = (story.joined(3), story.joined(4));
        accepted(&story.ask(a, 1, admit(None)));
        assert_eq!(inside(&story), [1, 2, 3], "the room holds three");
        assert_eq!(story.ask(a, 2, admit(Some(d))), rejected(ErrorCode::RoomFull));
        story.ask(b, 1, RoomEvent::Left {});
        accepted(&story.ask(a, 3, admit(Some(d))));
        story.ask(c, 1, RoomEvent::Left {});
        assert_eq!(changes(&story.ask(a, 4, admit(None))), [], "nobody waits");
    }

    #[test]
    fn who_is_denied_is_told_so_also_later() {
        let (mut story, a, b) = lobby();
        let deny = RoomEvent::Denied { target: b.participant };
        assert_eq!(story.ask(b, 1, deny.clone()), rejected(ErrorCode::WrongState));
        let removed = Change::WaitingRemoved { participant: b.participant, reason: Some(LeaveReason::Denied) };
        assert_eq!(changes(&story.ask(a, 1, deny.clone())), [removed]);
        assert_eq!(story.resume(THERE, 2, 2), rejected(ErrorCode::Denied));
        assert_eq!(story.ask(a, 2, deny), rejected(ErrorCode::NotFound));
        let inside = RoomEvent::Denied { target: a.participant };
        assert_eq!(story.ask(a, 3, inside), rejected(ErrorCode::NotFound));
    }

    #[test]
    fn waiting_outlives_a_broken_socket_and_a_node_and_who_was_in_never_waits() {
        let (mut story, a, b) = lobby();
        story.own(HERE, Some(b), RoomEvent::Held { closing: false });
        let b = binding(&story.resume(THERE, 2, 2));
        story.own(HERE, None, RoomEvent::NodeLost { incarnation: THERE });
        let b = binding(&story.resume(HERE, b.participant.0, 2));
        assert_eq!(story.room.snapshot().waiting.len(), 1);
        let again = binding(&story.join(1, 9));
        assert_eq!(inside(&story), [1], "a reload");
        assert!(again > a);
        story.own(HERE, Some(b), RoomEvent::Held { closing: false });
        let expired = story.own(HERE, Some(b), RoomEvent::GraceExpired {});
        let reason = Some(LeaveReason::GraceExpired);
        assert_eq!(changes(&expired), [Change::WaitingRemoved { participant: b.participant, reason }]);
    }

    #[test]
    fn when_the_last_one_inside_goes_who_waits_longest_is_the_host() {
        let (mut story, a, b) = lobby();
        let c = story.joined(3);
        let outcome = story.ask(a, 1, RoomEvent::Left {});
        let left = Change::Left { participant: a.participant, reason: LeaveReason::Left };
        let removed = Change::WaitingRemoved { participant: b.participant, reason: None };
        let joined = Change::Joined { participant: story.view(2), binding: b };
        assert_eq!(changes(&outcome), [left, removed, joined]);
        assert_eq!((story.view(2).role, story.room.snapshot().waiting), (Role::Host, vec![view(c)]));
        accepted(&story.ask(b, 1, admit(Some(c))));
    }

    #[test]
    fn who_becomes_a_co_host_is_told_who_waits() {
        let (mut story, a, b) = lobby();
        let c = story.joined(3);
        accepted(&story.ask(a, 1, admit(Some(b))));
        let outcome = story.ask(a, 2, set_role(b, Role::CoHost));
        let listed = Change::WaitingListed { participant: b.participant, waiting: vec![view(c)] };
        assert_eq!(changes(&outcome)[1..], [listed]);
        assert_eq!(story.ask(a, 3, set_role(c, Role::CoHost)), rejected(ErrorCode::NotFound), "they are not in");
        let outcome = story.ask(a, 4, RoomEvent::Left {});
        assert_eq!(changes(&outcome).len(), 2, "who was a co-host knows already");
    }

    #[test]
    fn whoever_comes_from_the_address_of_somebody_who_was_banned_waits() {
        let mut story = Story::new();
        let a = story.joined(1);
        let b = binding(&story.join_from(2, 2, 77));
        accepted(&story.ask(a, 1, RoomEvent::Removed { target: b.participant, ban: true }));
        let c = binding(&story.join_from(3, 3, 77));
        assert_eq!(story.room.snapshot().waiting, [WaitingView { removed_before: true, ..view(c) }]);
        story.join_from(4, 4, 78);
        assert_eq!(inside(&story), [1, 4]);
        accepted(&story.ask(a, 2, admit(Some(c))));
        assert_eq!(inside(&story), [1, 4, 3], "who was let in came after them");
    }

    #[test]
    fn those_who_wait_and_bans_are_bounded() {
        let (mut story, _, _) = lobby();
        for participant in 3..=101 {
            accepted(&story.join(participant, participant));
        }
        assert_eq!(story.join(102, 102), rejected(ErrorCode::RoomFull));
        for tag in 0..1000 {
            ban(&mut story.room, tag);
        }
        assert_eq!((story.room.banned.len(), story.room.banned.back()), (BANNED_MAX, Some(&999)));
    }

    #[test]
    fn the_end_of_the_meeting_is_theirs_too() {
        let (mut story, a, b) = lobby();
        let outcome = story.ask(a, 1, RoomEvent::MeetingEnded {});
        let reason = Some(LeaveReason::MeetingEnded);
        assert_eq!(
            changes(&outcome)[1..],
            [Change::WaitingRemoved { participant: b.participant, reason }, Change::Ended]
        );
        assert_eq!(story.resume(HERE, 2, 2), Outcome::NoRoom);
    }
}
