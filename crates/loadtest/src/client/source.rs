//! What a publisher captures: frames at their times, cut into stamped packets.

use std::time::{Duration, Instant};

use protocol::MediaKind;

use super::payload::{Stamp, write_audio, write_video};
use super::recording::Recording;

/// A frame that is later than this is left out, as an encoder does that cannot keep up.
const LATE_MAX: Duration = Duration::from_millis(500);

/// A synthetic microphone: a packet every 20 ms.
#[derive(Debug, Clone, Copy)]
pub struct AudioConfig {
    /// Payload of a packet, in bytes.
    pub bytes: usize,
    /// How loud it is, in dBov: 0 the loudest, -127 silence.
    pub level: i8,
}

impl Default for AudioConfig {
    fn default() -> Self {
        Self { bytes: 80, level: -20 }
    }
}

/// A synthetic camera.
#[derive(Debug, Clone, Copy)]
pub struct VideoConfig {
    /// Frames in a second.
    pub frame_rate: u32,
    /// Packets of a frame.
    pub packets: u16,
    /// Packets of a keyframe.
    pub keyframe_packets: u16,
    /// Payload of a packet, in bytes; the second half of a frame has a byte more, as libwebrtc cuts frames.
    pub bytes: usize,
    /// Time from capture to sending: a slow encoder.
    pub encoding: Duration,
    /// Time from packet to packet of a frame, as a pacer leaves it.
    pub spacing: Duration,
    /// Makes a keyframe this often that nobody asked for.
    pub keyframe_interval: Option<Duration>,
    /// Sends packets of these sizes at these times instead.
    pub recording: Option<&'static Recording>,
}

impl Default for VideoConfig {
    fn default() -> Self {
        Self {
            frame_rate: 20,
            packets: 3,
            keyframe_packets: 6,
            bytes: 1000,
            encoding: Duration::ZERO,
            spacing: Duration::ZERO,
            keyframe_interval: None,
            recording: None,
        }
    }
}

/// A packet to be sent.
pub(super) struct SourcePacket {
    pub(super) timestamp: u32,
    pub(super) captured: Instant,
    pub(super) marker: bool,
    pub(super) payload: Vec<u8>,
}

/// One microphone or camera.
#[derive(Debug)]
pub(super) struct Source {
    publisher: u32,
    kind: SourceKind,
    epoch: Instant,
    /// When the next frame is captured.
    next: Instant,
    frame: u32,
    /// The frame of which some packets have left.
    open: Option<Frame>,
    first_timestamp: u32,
    keyframe_wanted: bool,
    keyframe_at: Option<Instant>,
    pub(super) keyframes: u64,
}

/// A frame, and which of its packets is next.
#[derive(Debug, Clone, Copy)]
struct Frame {
    captured: Instant,
    keyframe: bool,
    packet: u16,
    packets: u16,
}

#[derive(Debug, Clone, Copy)]
enum SourceKind {
    Audio(AudioConfig),
    Video(VideoConfig),
}

impl Source {
    pub(super) fn audio(now: Instant, epoch: Instant, publisher: u32, config: AudioConfig) -> Self {
        Self::new(now, epoch, publisher, SourceKind::Audio(config))
    }

    pub(super) fn video(now: Instant, epoch: Instant, publisher: u32, config: VideoConfig) -> Self {
        Self::new(now, epoch, publisher, SourceKind::Video(config))
    }

    fn new(now: Instant, epoch: Instant, publisher: u32, kind: SourceKind) -> Self {
        // As good as random, so that timestamps of some streams wrap soon.
        let first_timestamp = publisher.wrapping_mul(0x9e37_79b9).wrapping_neg();
        Self {
            publisher,
            kind,
            epoch,
            next: now,
            frame: 0,
            open: None,
            first_timestamp,
            keyframe_wanted: true,
            keyframe_at: None,
            keyframes: 0,
        }
    }

    pub(super) fn kind(&self) -> MediaKind {
        match self.kind {
            SourceKind::Audio(_) => MediaKind::Audio,
            SourceKind::Video(_) => MediaKind::Video,
        }
    }

    pub(super) fn level(&self) -> Option<i8> {
        match self.kind {
            SourceKind::Audio(config) => Some(config.level),
            SourceKind::Video(_) => None,
        }
    }

    /// The next frame is to be a keyframe.
    pub(super) fn request_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// Goes on after a pause, in step with the captures that were left out.
    pub(super) fn resume(&mut self, now: Instant) {
        while self.next < now {
            self.next += self.interval();
        }
        self.keyframe_wanted = true;
    }

    /// When the next packet leaves.
    pub(super) fn next_at(&self) -> Instant {
        let (captured, packet) = self.open.map_or((self.next, 0), |frame| (frame.captured, frame.packet));
        captured + self.encoding() + self.delay(packet)
    }

    /// Writes the packets whose time has come.
    pub(super) fn poll(&mut self, now: Instant, packets: &mut Vec<SourcePacket>) {
        while self.open.is_none() && self.next_at() + LATE_MAX < now {
            self.next += self.interval();
        }
        while self.next_at() <= now {
            let frame = self.open.unwrap_or_else(|| self.capture());
            let last = frame.packet + 1 == frame.packets;
            let stamp = self.stamp(now, &frame);
            let payload = match self.kind {
                SourceKind::Audio(config) => write_audio(&stamp, config.bytes),
                SourceKind::Video(config) => write_video(&stamp, self.bytes(config, &frame)),
            };
            packets.push(self.packet(frame.captured, last, payload));
            self.open = (!last).then_some(Frame { packet: frame.packet + 1, ..frame });
            if last {
                self.next = frame.captured + self.interval();
                self.frame += 1;
            }
        }
    }

    fn capture(&mut self) -> Frame {
        let captured = self.next;
        let SourceKind::Video(config) = self.kind else {
            return Frame { captured, keyframe: false, packet: 0, packets: 1 };
        };
        let due = self.keyframe_at.is_some_and(|at| at <= captured);
        let keyframe = std::mem::take(&mut self.keyframe_wanted) || due;
        if keyframe {
            self.keyframes += 1;
            self.keyframe_at = config.keyframe_interval.map(|interval| captured + interval);
        }
        let packets = match config.recording {
            Some(recording) => recording.frame(self.frame).1.packets.len() as u16,
            None if keyframe => config.keyframe_packets,
            None => config.packets,
        };
        Frame { captured, keyframe, packet: 0, packets }
    }

    /// Of the next packet's payload.
    fn bytes(&self, config: VideoConfig, frame: &Frame) -> usize {
        let recorded = config.recording.and_then(|recording| {
            let (_, recorded) = recording.frame(self.frame);
            recorded.packets.get(usize::from(frame.packet)).map(|&(_, bytes)| bytes.into())
        });
        recorded.unwrap_or(config.bytes + usize::from(frame.packet >= frame.packets / 2))
    }

    /// How long after its frame's first packet a packet leaves.
    fn delay(&self, packet: u16) -> Duration {
        let SourceKind::Video(config) = self.kind else { return Duration::ZERO };
        let recorded = config.recording.and_then(|recording| {
            let (_, recorded) = recording.frame(self.frame);
            recorded.packets.get(usize::from(packet)).map(|&(delay, _)| delay)
        });
        recorded.unwrap_or(config.spacing * u32::from(packet))
    }

    fn stamp(&self, now: Instant, frame: &Frame) -> Stamp {
        let [captured, sent] = [frame.captured, now].map(|at| at.saturating_duration_since(self.epoch));
        Stamp {
            publisher: self.publisher,
            frame: self.frame,
            packet: frame.packet,
            packets: frame.packets,
            keyframe: frame.keyframe,
            captured,
            sent,
        }
    }

    fn packet(&self, captured: Instant, marker: bool, payload: Vec<u8>) -> SourcePacket {
        let rate: u64 = match self.kind {
            SourceKind::Audio(_) => 48_000,
            SourceKind::Video(_) => 90_000,
        };
        let since = captured.saturating_duration_since(self.epoch).as_micros() as u64;
        let timestamp = self.first_timestamp.wrapping_add((since * rate / 1_000_000) as u32);
        SourcePacket { timestamp, captured, marker, payload }
    }

    fn interval(&self) -> Duration {
        match self.kind {
            SourceKind::Audio(_) => Duration::from_millis(20),
            SourceKind::Video(VideoConfig { recording: Some(recording), .. }) => {
                recording.frame(self.frame + 1).0 - recording.frame(self.frame).0
            }
            SourceKind::Video(config) => Duration::from_secs(1) / config.frame_rate.max(1),
        }
    }

    fn encoding(&self) -> Duration {
        match self.kind {
            SourceKind::Audio(_) => Duration::ZERO,
            SourceKind::Video(config) => config.encoding,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// When packets leave, in milliseconds, looked at every 100 us for so long.
    fn leave(source: &mut Source, start: Instant, length: Duration) -> Vec<u128> {
        let (mut times, mut packets, mut now) = (Vec::new(), Vec::new(), start);
        while now < start + length {
            source.poll(now, &mut packets);
            times.extend(packets.drain(..).map(|_| (now - start).as_millis()));
            now += Duration::from_micros(100);
        }
        times
    }

    #[test]
    fn packets_of_a_frame_are_spaced() {
        let start = Instant::now();
        let config = VideoConfig { spacing: ms(2), keyframe_packets: 4, packets: 2, ..VideoConfig::default() };
        let mut source = Source::video(start, start, 1, config);
        assert_eq!(leave(&mut source, start, ms(110)), [0, 2, 4, 6, 50, 52, 100, 102]);
    }

    #[test]
    fn keyframes_come_at_their_interval_and_after_a_pause() {
        let start = Instant::now();
        let config = VideoConfig { keyframe_interval: Some(ms(200)), ..VideoConfig::default() };
        let mut source = Source::video(start, start, 1, config);
        leave(&mut source, start, ms(430));
        assert_eq!(source.keyframes, 3);
        source.resume(start + ms(975));
        assert_eq!(leave(&mut source, start + ms(975), ms(30)), [25; 6], "in step, a keyframe");
    }
}
