//! On which media worker a person of a room is to be.
//!
//! A stream crosses once to each other worker that has people of its room, and is written anew there. So people follow each
//! other while their worker has room for them, by its own load and by how many of the room it has already; then they go on
//! with another. Who has data channels goes to those who have, as these do not cross.

use std::sync::atomic::Ordering;

use protocol::{ParticipantId, RoomId};
use sfu::worker::RouterId;
use sfu_io::WorkerHandle;

use super::Shared;
use super::media::Media;
use super::registry::Registry;

/// A worker that is busier than this is chosen only where all are, in thousandths.
const BUSY_MARK: u32 = 700;

impl Shared {
    /// Where a person's transports are, or are to be made. `None` if all workers died.
    pub(super) fn seat(
        &self,
        registry: &mut Registry,
        room: &RoomId,
        participant: ParticipantId,
        channels: bool,
    ) -> Option<Media> {
        if let Some(seat) = registry.seat(room, participant) {
            return Some(seat);
        }
        let worker = self.choose_worker(registry, room, channels)?;
        let fresh = || RouterId(self.last_router.fetch_add(1, Ordering::Relaxed) + 1);
        Some(registry.take_seat(room, participant, worker, fresh))
    }

    fn choose_worker(&self, registry: &Registry, room: &RoomId, channels: bool) -> Option<WorkerHandle> {
        let living = self.pool.living();
        if channels
            && let Some(index) = registry.worker_with_channels(room)
            && let Some(worker) = living.iter().find(|worker| worker.index() == index)
        {
            return Some(worker.clone());
        }
        let seats = registry.seats(room);
        let candidate = |worker: WorkerHandle| Candidate {
            people: seats.get(&worker.index()).copied().unwrap_or_default(),
            is_busy: worker.metrics().busy_permille >= BUSY_MARK,
            worker,
        };
        let candidates: Vec<_> = living.into_iter().map(candidate).collect();
        let chosen = choose(&candidates, self.limits.participants_per_room_and_worker)?;
        Some(chosen.worker.clone())
    }
}

/// A living worker.
struct Candidate<W> {
    worker: W,
    /// How many of the room it has.
    people: usize,
    is_busy: bool,
}

/// Of workers, the least loaded first: the one with most of the room that has room for more, else the first that has. Where
/// none has it is the one with most of the room that is only busy, so that meetings are not scattered when all are; else
/// the first.
fn choose<W>(candidates: &[Candidate<W>], mark: usize) -> Option<&Candidate<W>> {
    let not_full = || candidates.iter().filter(|candidate| candidate.people < mark);
    let with_room = || not_full().filter(|candidate| !candidate.is_busy);
    with_most(with_room())
        .or_else(|| with_room().next())
        .or_else(|| with_most(not_full()))
        .or_else(|| candidates.first())
}

/// The one with most of the room, if any has some of it; of equals the first.
fn with_most<'a, W>(candidates: impl Iterator<Item = &'a Candidate<W>>) -> Option<&'a Candidate<W>> {
    let hosting = candidates.filter(|candidate| candidate.people > 0);
    hosting.reduce(|most, next| if next.people > most.people { next } else { most })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of workers is taken, by how many of the room they have and whether they are busy.
    fn chosen(workers: &[(usize, bool)]) -> usize {
        let candidates: Vec<_> = workers
            .iter()
            .enumerate()
            .map(|(worker, &(people, is_busy))| Candidate { worker, people, is_busy })
            .collect();
        choose(&candidates, 10).expect("a worker").worker
    }

    #[test]
    fn people_follow_each_other_until_their_worker_is_full_or_busy() {
        assert_eq!(chosen(&[(0, false), (0, false)]), 0, "the least loaded");
        assert_eq!(chosen(&[(0, false), (9, false)]), 1, "where the others are");
        assert_eq!(chosen(&[(3, false), (0, false), (4, false)]), 2, "where most are");
        assert_eq!(chosen(&[(0, false), (10, false)]), 0, "not where it is full");
        assert_eq!(chosen(&[(0, true), (0, false), (4, true)]), 1, "not where it is busy");
        assert_eq!(
            chosen(&[(12, false), (10, true), (11, true)]),
            0,
            "where there is no room anywhere, the least loaded"
        );
    }

    #[test]
    fn without_a_worker_nobody_has_a_seat() {
        assert!(choose::<usize>(&[], 10).is_none());
    }
}
