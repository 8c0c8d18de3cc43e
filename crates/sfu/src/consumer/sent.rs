//! What a consumer sent under which sequence number, so that it can be sent again.

use arrayvec::ArrayVec;

use crate::clock::Micros;
use crate::codec::PictureNumbers;
use crate::ring::Ring;

/// How many packets back a retransmission may be asked for; a power of two.
const ENTRIES: usize = 512;
/// A receiver that lacks a packet captured this long before the newest has seen nothing new since: all that it lacks
/// takes longer to be sent again, with retransmissions bounded as they are, than a keyframe takes.
const REPAIR_US_MAX: Micros = 500_000;
/// But so many round trips it may ask for a packet in any case.
const REPAIR_ROUND_TRIPS: Micros = 4;
/// How many changes of the numbering are remembered.
const EPOCHS_MAX: usize = 8;
/// Bits of an entry's slot number; the rest of its 32 bits name the layer.
const SLOT_BITS: u32 = 29;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;

/// What is added to the running numbers of a source so that the receiver sees one stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shift {
    pub(crate) timestamp: u32,
    pub(crate) picture: PictureNumbers,
}

/// A packet that was sent and is asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Which of the producer's streams it is of.
    pub(crate) layer: u8,
    /// Where it lies in that stream's ring.
    pub(crate) slot: u64,
    /// The sequence number that it left with, extended.
    pub(crate) sequence: u64,
    pub(crate) shift: Shift,
    /// When it was captured.
    pub(crate) capture_us: Micros,
}

/// What a packet is to its receiver who says that it lacks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// To be sent again.
    Again(Found),
    /// On its way already, not there yet, or of no use any more: a newer keyframe was sent.
    Settled,
    /// Gone, or so old that only a keyframe helps.
    TooLate,
}

/// What a consumer sent so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct UpTo {
    /// The sequence number that follows.
    pub(super) next: u64,
    /// When the newest packet was captured.
    pub(super) newest_us: Micros,
    /// The sequence number with which the newest keyframe began.
    pub(super) newest_keyframe: u64,
}

/// Why a packet is not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotFound {
    /// It went out again less than a round trip ago.
    JustSent,
    /// It was never sent: lost on the publisher's way, of whom it is asked for.
    NotSent,
    /// It is too long ago: forgotten, or overwritten in its ring.
    Gone,
}

/// Where the newest packets of a consumer lie.
#[derive(Debug)]
pub(crate) struct SentPackets {
    /// At their sequence numbers modulo the length. Empty where nothing is ever sent again.
    entries: Box<[Entry]>,
    epochs: ArrayVec<Epoch, EPOCHS_MAX>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    sequence: u16,
    /// Milliseconds of the worker's clock of the last retransmission, 16 bits; 0 when there was none.
    resent_ms: u16,
    /// The layer, and the low bits of the ring's slot number.
    place: u32,
}

/// An entry that was never written: no producer has so many layers.
const UNUSED: u32 = u32::MAX;

/// From which sequence number on which shift holds.
#[derive(Debug, Clone, Copy)]
struct Epoch {
    from: u64,
    shift: Shift,
}

impl SentPackets {
    /// Remembers packets only if they are ever to be sent again.
    pub(super) fn new(remember: bool) -> Self {
        let unused = Entry { place: UNUSED, ..Entry::default() };
        let entries = vec![unused; if remember { ENTRIES } else { 0 }].into_boxed_slice();
        Self { entries, epochs: ArrayVec::new() }
    }

    /// The shift that holds now.
    pub(super) fn shift(&self) -> Shift {
        self.epochs.last().map_or_else(Shift::default, |epoch| epoch.shift)
    }

    /// From `sequence` on another shift holds.
    pub(super) fn set_shift(&mut self, sequence: u64, shift: Shift) {
        if self.shift() == shift && !self.epochs.is_empty() {
            return;
        }
        if self.epochs.is_full() {
            self.epochs.remove(0);
        }
        self.epochs.push(Epoch { from: sequence, shift });
    }

    pub(super) fn insert(&mut self, sequence: u64, layer: u8, slot: u64) {
        if let Some(entry) = self.entries.get_mut(sequence as usize & (ENTRIES - 1)) {
            let place = u32::from(layer) << SLOT_BITS | slot as u32 & SLOT_MASK;
            *entry = Entry { sequence: sequence as u16, resent_ms: 0, place };
        }
    }

    /// The packet that was looked up last under this number does not go out again.
    pub(super) fn on_not_resent(&mut self, sequence: u64) {
        if let Some(entry) = self.entries.get_mut(sequence as usize & (ENTRIES - 1))
            && entry.sequence == sequence as u16
        {
            entry.resent_ms = 0;
        }
    }

    /// Forgets all packets: their rings are gone.
    pub(super) fn clear(&mut self) {
        self.entries.fill(Entry { place: UNUSED, ..Entry::default() });
    }

    /// Looks up a packet that the receiver lacks at `now_us`.
    pub(super) fn lost<'a>(
        &mut self,
        sequence: u16,
        upto: UpTo,
        now_us: Micros,
        rtt_ms: u16,
        ring_of: impl FnOnce(u8) -> Option<&'a Ring>,
    ) -> Lost {
        let repair_us = REPAIR_US_MAX.max(Micros::from(rtt_ms) * 1000 * REPAIR_ROUND_TRIPS);
        match self.find(sequence, upto.next, now_us, rtt_ms, ring_of) {
            Ok(found) if upto.newest_us - found.capture_us <= repair_us => Lost::Again(found),
            Err(NotFound::JustSent | NotFound::NotSent) => Lost::Settled,
            Ok(_) | Err(NotFound::Gone) => {
                let newer = before(upto.next, sequence).is_none_or(|lost| lost < upto.newest_keyframe);
                if newer { Lost::Settled } else { Lost::TooLate }
            }
        }
    }

    /// Looks up a packet before `next` to be sent again at `now_us`.
    fn find<'a>(
        &mut self,
        sequence: u16,
        next: u64,
        now_us: Micros,
        rtt_ms: u16,
        ring_of: impl FnOnce(u8) -> Option<&'a Ring>,
    ) -> Result<Found, NotFound> {
        let entry = self.entries.get_mut(usize::from(sequence) & (ENTRIES - 1)).ok_or(NotFound::NotSent)?;
        if entry.place == UNUSED || entry.sequence.wrapping_sub(sequence) > 1 << 15 {
            return Err(NotFound::NotSent);
        }
        if entry.sequence != sequence {
            return Err(NotFound::Gone);
        }
        let now_ms = ((now_us / 1000) as u16).max(1);
        if entry.resent_ms != 0 && now_ms.wrapping_sub(entry.resent_ms) < rtt_ms {
            return Err(NotFound::JustSent);
        }
        let found = Self::locate(*entry, next, &self.epochs, ring_of).ok_or(NotFound::Gone)?;
        entry.resent_ms = now_ms;
        Ok(found)
    }

    fn locate<'a>(
        entry: Entry,
        next: u64,
        epochs: &[Epoch],
        ring_of: impl FnOnce(u8) -> Option<&'a Ring>,
    ) -> Option<Found> {
        let layer = (entry.place >> SLOT_BITS) as u8;
        let ring = ring_of(layer)?;
        // A ring holds far fewer than 2^29 slots, so the low bits name one.
        let back = (ring.head() as u32).wrapping_sub(entry.place) & SLOT_MASK;
        let slot = ring.head().checked_sub(u64::from(back))?;
        let capture_us = ring.packet(slot)?.info.capture_us;
        let sequence = before(next, entry.sequence)?;
        let shift = epochs.iter().rev().find(|epoch| epoch.from <= sequence)?.shift;
        Some(Found { layer, slot, sequence, shift, capture_us })
    }
}

/// The newest extended sequence number before `next` that ends in these 16 bits.
fn before(next: u64, sequence: u16) -> Option<u64> {
    let newest = next.checked_sub(1)?;
    newest.checked_sub(u64::from((newest as u16).wrapping_sub(sequence)))
}
