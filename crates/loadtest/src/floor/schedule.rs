//! What leaves when, as the work beside which the floor is measured has it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::time::Duration;

use loadtest::client::{AudioConfig, Recording, VideoConfig};

use crate::shapes::{AUDIO_HEADER_BYTES, HEADER_BYTES, TAG_BYTES};

/// Packets of a recording that are closer than this come to the server as one batch.
const TOGETHER: Duration = Duration::from_micros(200);
/// Sizes that differ by no more than this leave in one message, padded.
const LEVEL_MAX: usize = 16;

/// One publisher's packets, again and again.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    bursts: Vec<Burst>,
    /// Of a round.
    length: Duration,
    /// Of the first round.
    start: Duration,
    /// Who gets them.
    pub(super) receivers: Vec<usize>,
}

/// Packets that leave together, for each receiver in one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Burst {
    pub(super) at: Duration,
    pub(super) packets: usize,
    /// Of a sealed packet.
    pub(super) bytes: usize,
}

impl Stream {
    pub(crate) fn audio(config: AudioConfig, start: Duration, receivers: impl IntoIterator<Item = usize>) -> Self {
        let burst = Burst { at: Duration::ZERO, packets: 1, bytes: AUDIO_HEADER_BYTES + config.bytes + TAG_BYTES };
        let receivers = receivers.into_iter().collect();
        Self { bursts: vec![burst], length: Duration::from_millis(20), start, receivers }
    }

    pub(crate) fn video(config: &VideoConfig, start: Duration, receivers: impl IntoIterator<Item = usize>) -> Self {
        let receivers = receivers.into_iter().collect();
        if let Some(recording) = config.recording {
            return Self { bursts: recorded(recording), length: recording.length(), start, receivers };
        }
        let (packets, bytes) = (usize::from(config.packets), sealed(config.bytes + 1));
        let bursts = if config.spacing.is_zero() {
            vec![Burst { at: Duration::ZERO, packets, bytes }]
        } else {
            (0..packets as u32).map(|n| Burst { at: config.spacing * n, packets: 1, bytes }).collect()
        };
        Self { bursts, length: Duration::from_secs(1) / config.frame_rate, start, receivers }
    }

    pub(super) fn bytes_max(&self) -> usize {
        self.bursts.iter().map(|burst| burst.packets * burst.bytes).max().unwrap_or(0)
    }
}

fn sealed(payload: usize) -> usize {
    HEADER_BYTES + payload + TAG_BYTES
}

fn recorded(recording: &Recording) -> Vec<Burst> {
    let mut bursts: Vec<(Burst, Range<usize>)> = Vec::new();
    let mut newest = Duration::ZERO;
    for (at, bytes) in recording.packets() {
        let bytes = sealed(bytes.into());
        let near = at - newest < TOGETHER;
        newest = at;
        if let Some((burst, sizes)) = bursts.last_mut().filter(|_| near) {
            let both = sizes.start.min(bytes)..sizes.end.max(bytes);
            if both.end - both.start <= LEVEL_MAX {
                *burst = Burst { packets: burst.packets + 1, bytes: both.end, ..*burst };
                *sizes = both;
                continue;
            }
        }
        bursts.push((Burst { at, packets: 1, bytes }, bytes..bytes));
    }
    bursts.into_iter().map(|(burst, _)| burst).collect()
}

/// All bursts of some streams in order.
pub(super) struct Schedule<'a> {
    streams: &'a [Stream],
    /// When a stream's next burst is due, the stream, how many of its bursts are over.
    due: BinaryHeap<Reverse<(Duration, usize, usize)>>,
}

impl<'a> Schedule<'a> {
    pub(super) fn new(streams: &'a [Stream]) -> Self {
        let first = |(index, stream): (usize, &Stream)| Reverse((stream.start, index, 0));
        Self { streams, due: streams.iter().enumerate().map(first).collect() }
    }
}

impl Iterator for Schedule<'_> {
    /// When it is due, of which stream it is, what it is.
    type Item = (Duration, usize, Burst);

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((at, index, over)) = self.due.pop()?;
        let stream = &self.streams[index];
        let count = stream.bursts.len();
        let next = over + 1;
        let round = stream.length * (next / count) as u32;
        self.due.push(Reverse((stream.start + round + stream.bursts[next % count].at, index, next)));
        Some((at, index, stream.bursts[over % count]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes::{AUDIO, VIDEO};

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn streams_are_interleaved_round_after_round() {
        let paced = VideoConfig { frame_rate: 50, packets: 2, spacing: ms(1), ..VIDEO };
        let streams = [Stream::audio(AUDIO, ms(5), [0]), Stream::video(&paced, ms(0), [0, 1])];
        let burst = |at, bytes| Burst { at: ms(at), packets: 1, bytes };
        let (audio, first, second) = (burst(0, 100), burst(0, 1160), burst(1, 1160));
        let expected =
            [(ms(0), 1, first), (ms(1), 1, second), (ms(5), 0, audio), (ms(20), 1, first), (ms(21), 1, second)];
        assert_eq!(Schedule::new(&streams).take(5).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_frame_that_is_not_paced_is_one_message() {
        let stream = Stream::video(&VIDEO, ms(0), [0]);
        assert_eq!(stream.bursts, [Burst { at: ms(0), packets: 6, bytes: 1160 }]);
        assert_eq!(stream.bytes_max(), 6960);
    }
}
