//! Keeps from the library what would make it keep or sort too much.
//!
//! The library bounds the *bytes* that wait to become messages, but has two hundred bytes of its own per chunk, keeps
//! any number of chunks behind a gap in the transmission sequence numbers, and sorts at each arrival.

/// How far ahead of the first missing chunk others may come. A browser keeps a hundred large chunks on the way.
const WINDOW: u32 = 2048;
/// Most chunks that wait to become messages.
const HELD_MAX: usize = 2048;
/// What one association may keep of what it received, in bytes: two messages of the largest size.
pub(super) const RECEIVE_BUFFER_BYTES: u32 = 2 * protocol::sctp::MESSAGE_BYTES_MAX;

pub(super) const COMMON_HEADER_BYTES: usize = 12;
const DATA: u8 = 0;
const INIT: u8 = 1;
const SACK: u8 = 3;

/// What may become of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on to the library.
    Pass,
    /// It is as if it were lost.
    Drop,
    /// The peer fills the memory with what never becomes a message.
    Abort,
}

/// What is known of the chunks that a peer sent.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// Everything up to this one was received; `None` before the association begins.
    cumulative: Option<u32>,
    /// Chunks that were let pass and not read yet, at most.
    held: usize,
}

impl Guard {
    /// Looks at a packet of the peer. `unread` says whether whole messages wait, which make room when they are read.
    pub(super) fn inspect(&mut self, packet: &[u8], unread: bool) -> Verdict {
        let mut chunks = 0;
        for chunk in Chunks::new(packet) {
            let Some((kind, value)) = chunk else { return Verdict::Drop };
            match (kind, self.cumulative) {
                // RFC 9260 3.3.2: the initial TSN is behind tag, window and stream counts.
                (INIT, None) => self.cumulative = word(value, 12).map(|first| first.wrapping_sub(1)),
                (DATA, Some(cumulative)) => {
                    let Some(tsn) = word(value, 0) else { return Verdict::Drop };
                    let ahead = tsn.wrapping_sub(cumulative);
                    let repeated = ahead == 0 || ahead > i32::MAX as u32;
                    if !repeated && ahead > WINDOW {
                        return Verdict::Drop;
                    }
                    chunks += usize::from(!repeated);
                }
                _ => {}
            }
        }
        match self.held + chunks {
            held if held <= HELD_MAX => {
                self.held = held;
                Verdict::Pass
            }
            _ if unread => Verdict::Drop,
            _ => Verdict::Abort,
        }
    }

    /// A message of so many chunks was read.
    pub(super) fn on_read(&mut self, chunks: usize) {
        self.held = self.held.saturating_sub(chunks);
    }

    /// Learns from what the library answers (RFC 9260 3.3.4).
    pub(super) fn on_transmit(&mut self, packet: &[u8]) {
        for (kind, value) in Chunks::new(packet).flatten() {
            if let (SACK, Some(cumulative), Some(window)) = (kind, word(value, 0), word(value, 4)) {
                self.cumulative = Some(cumulative);
                if window >= RECEIVE_BUFFER_BYTES {
                    // Nothing is left: what was repeated or given up counts no more.
                    self.held = 0;
                }
            }
        }
    }
}

/// The chunks of a packet: kind and value; `None` is the end of a packet that is cut short.
struct Chunks<'a>(&'a [u8]);

impl<'a> Chunks<'a> {
    fn new(packet: &'a [u8]) -> Self {
        Self(packet.get(COMMON_HEADER_BYTES..).unwrap_or_default())
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Option<(u8, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let chunk = (|| {
            let (header, _) = self.0.split_first_chunk::<4>()?;
            let bytes = usize::from(u16::from_be_bytes([header[2], header[3]]));
            let value = self.0.get(4..bytes)?;
            self.0 = self.0.get(bytes.next_multiple_of(4)..).unwrap_or_default();
            Some((header[0], value))
        })();
        if chunk.is_none() {
            self.0 = &[];
        }
        Some(chunk)
    }
}

fn word(value: &[u8], at: usize) -> Option<u32> {
    value.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(chunks: &[(u8, &[u8])]) -> Vec<u8> {
        let mut packet = vec![0; COMMON_HEADER_BYTES];
        for (kind, value) in chunks {
            packet.extend([*kind, 0]);
            packet.extend((4 + value.len() as u16).to_be_bytes());
            packet.extend(*value);
            packet.resize(packet.len().next_multiple_of(4), 0);
        }
        packet
    }

    fn data(tsn: u32) -> Vec<u8> {
        [&tsn.to_be_bytes()[..], &[0, 1, 0, 0, 0, 0, 0, 53, 7]].concat()
    }

    fn sack(cumulative: u32, window: u32) -> Vec<u8> {
        [cumulative.to_be_bytes(), window.to_be_bytes(), [0; 4]].concat()
    }

    fn begun() -> Guard {
        let mut guard = Guard::default();
        let init = [[0; 4], [0; 4], [0; 4], 11_u32.to_be_bytes()].concat();
        assert_eq!(guard.inspect(&packet(&[(INIT, &init)]), false), Verdict::Pass);
        guard
    }

    #[test]
    fn chunks_far_ahead_of_the_first_missing_one_are_dropped_until_it_came() {
        let mut guard = begun();
        assert_eq!(guard.inspect(&packet(&[(DATA, &data(11))]), false), Verdict::Pass);
        assert_eq!(guard.inspect(&packet(&[(DATA, &data(10 + WINDOW))]), false), Verdict::Pass);
        assert_eq!(guard.inspect(&packet(&[(DATA, &data(11 + WINDOW))]), false), Verdict::Drop);
        guard.on_transmit(&packet(&[(SACK, &sack(11, 1000))]));
        assert_eq!(guard.inspect(&packet(&[(DATA, &data(11 + WINDOW))]), false), Verdict::Pass);
    }

    #[test]
    fn a_peer_whose_chunks_never_become_messages_is_cut_off() {
        let mut guard = begun();
        for n in 0..HELD_MAX as u32 {
            assert_eq!(guard.inspect(&packet(&[(DATA, &data(11 + n))]), false), Verdict::Pass, "{n}");
        }
        let next = packet(&[(DATA, &data(11 + WINDOW - 1))]);
        assert_eq!(guard.inspect(&next, true), Verdict::Drop);
        assert_eq!(guard.inspect(&next, false), Verdict::Abort);
        guard.on_read(1);
        assert_eq!(guard.inspect(&next, false), Verdict::Pass);
    }

    #[test]
    fn what_was_repeated_or_given_up_is_forgotten_when_nothing_is_left() {
        let mut guard = begun();
        for n in 0..HELD_MAX as u32 {
            guard.inspect(&packet(&[(DATA, &data(11 + n))]), false);
        }
        guard.on_transmit(&packet(&[(SACK, &sack(10 + HELD_MAX as u32, RECEIVE_BUFFER_BYTES))]));
        let old = packet(&[(DATA, &data(11)), (DATA, &data(11 + HELD_MAX as u32))]);
        assert_eq!(guard.inspect(&old, false), Verdict::Pass);
        assert_eq!(guard.held, 1);
    }

    #[test]
    fn what_is_cut_short_is_dropped() {
        let mut guard = begun();
        let whole = packet(&[(DATA, &data(11))]);
        assert_eq!(guard.inspect(&whole[..whole.len() - 4], false), Verdict::Drop);
        assert_eq!(guard.inspect(&packet(&[(DATA, &[0, 0])]), false), Verdict::Drop);
        let mut endless = whole;
        endless[14..16].copy_from_slice(&[0, 0]);
        assert_eq!(guard.inspect(&endless, false), Verdict::Drop);
    }
}
