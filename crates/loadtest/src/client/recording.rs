//! Packet sizes and times of a real encoder and its pacer, to be sent again.

use std::sync::LazyLock;
use std::time::Duration;

/// What Chromium sent; how it was recorded is said at its top.
static CHROMIUM: LazyLock<Recording> =
    LazyLock::new(|| Recording::parse(include_str!("chromium.txt")).expect("the committed recording is whole"));

/// Packets of a stream in the order of sending, cut into frames, played again and again.
#[derive(Debug, PartialEq, Eq)]
pub struct Recording {
    frames: Vec<RecordedFrame>,
    /// From the first frame to the first frame of the next round.
    length: Duration,
}

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RecordedFrame {
    /// When its first packet left, since the first frame's.
    pub(super) at: Duration,
    /// Each packet's delay behind the first, and its payload's size in bytes.
    pub(super) packets: Vec<(Duration, u16)>,
}

impl Recording {
    /// VP8 from Chromium's camera test picture.
    pub fn chromium() -> &'static Self {
        &CHROMIUM
    }

    /// A line is a packet: microseconds since the first, bytes of payload, and `M` on the last of a frame. The last
    /// line is the first packet of the next round. Lines that begin with `#` are left out; none of what is no recording.
    fn parse(text: &str) -> Option<Self> {
        let mut packets = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split_ascii_whitespace();
            let at = Duration::from_micros(words.next()?.parse().ok()?);
            packets.push((at, words.next()?.parse().ok()?, words.next() == Some("M")));
        }
        let (length, ..) = packets.pop()?;
        let mut frames = Vec::new();
        for frame in packets.split_inclusive(|&(_, _, last)| last) {
            let &(at, ..) = frame.first()?;
            let behind = |&(time, bytes, _): &(Duration, u16, bool)| Some((time.checked_sub(at)?, bytes));
            frames.push(RecordedFrame { at, packets: frame.iter().map(behind).collect::<Option<_>>()? });
        }
        let in_order = frames.is_sorted_by(|a, b| a.at < b.at) && frames.last()?.at < length;
        in_order.then_some(Self { frames, length })
    }

    /// The `number`th frame, and how long after the first of all it begins.
    pub(super) fn frame(&self, number: u32) -> (Duration, &RecordedFrame) {
        let (rounds, index) = (number as usize / self.frames.len(), number as usize % self.frames.len());
        let frame = &self.frames[index];
        (self.length * rounds as u32 + frame.at, frame)
    }

    /// All packets of a round: when each leaves since the first, and its payload's size in bytes.
    pub fn packets(&self) -> impl Iterator<Item = (Duration, u16)> {
        self.frames.iter().flat_map(|frame| frame.packets.iter().map(|&(behind, bytes)| (frame.at + behind, bytes)))
    }

    /// How long a round is.
    pub fn length(&self) -> Duration {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_become_frames_that_repeat() {
        let recording = Recording::parse("# made by hand\n0 900\n250 901 M\n33000 400 M\n66000 900\n").expect("whole");
        let micros = Duration::from_micros;
        assert_eq!(recording.frame(0).0, micros(0));
        assert_eq!(recording.frame(0).1.packets, [(micros(0), 900), (micros(250), 901)]);
        assert_eq!(recording.frame(1).0, micros(33_000));
        assert_eq!(recording.frame(3).0, micros(66_000 + 33_000));
        assert_eq!(recording.packets().collect::<Vec<_>>().len(), 3);
    }

    #[test]
    fn what_is_no_recording_is_refused() {
        for text in ["", "0 900", "x 900 M\n5 1", "0 900 M\n10 900 M\n5 1", "0 70000 M\n5 1"] {
            assert_eq!(Recording::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_committed_recording_is_one() {
        assert!(Recording::chromium().length() > Duration::from_secs(5));
    }
}
