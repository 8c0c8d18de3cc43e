//! What a publisher captures: frames at their times, cut into stamped packets.

use std::time::{Duration, Instant};

use protocol::MediaKind;

use super::payload::{Stamp, write_audio, write_video};

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
    /// Payload of a packet, in bytes; a frame's last packet is a byte longer, as libwebrtc makes it.
    pub bytes: usize,
    /// Time from capture to sending: a slow encoder.
    pub encoding: Duration,
}

impl Default for VideoConfig {
    fn default() -> Self {
        Self { frame_rate: 20, packets: 3, keyframe_packets: 6, bytes: 1000, encoding: Duration::ZERO }
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
    first_timestamp: u32,
    keyframe_wanted: bool,
    pub(super) keyframes: u64,
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
        Self { publisher, kind, epoch, next: now, frame: 0, first_timestamp, keyframe_wanted: true, keyframes: 0 }
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

    /// When the next frame leaves.
    pub(super) fn next_at(&self) -> Instant {
        self.next + self.encoding()
    }

    /// Writes the next frame's packets if it is time; false when it is not.
    pub(super) fn poll(&mut self, now: Instant, packets: &mut Vec<SourcePacket>) -> bool {
        while self.next_at() + LATE_MAX < now {
            self.next += self.interval();
        }
        if self.next_at() > now {
            return false;
        }
        let captured = self.next;
        self.next += self.interval();
        match self.kind {
            SourceKind::Audio(config) => {
                let stamp = self.stamp(now, captured, 0, 1, false);
                packets.push(self.packet(captured, true, write_audio(&stamp, config.bytes)));
            }
            SourceKind::Video(config) => {
                let keyframe = std::mem::take(&mut self.keyframe_wanted);
                self.keyframes += u64::from(keyframe);
                let count = if keyframe { config.keyframe_packets } else { config.packets };
                for packet in 0..count {
                    let last = packet + 1 == count;
                    let stamp = self.stamp(now, captured, packet, count, keyframe);
                    let payload = write_video(&stamp, config.bytes + usize::from(last));
                    packets.push(self.packet(captured, last, payload));
                }
            }
        }
        self.frame += 1;
        true
    }

    fn stamp(&self, now: Instant, captured: Instant, packet: u16, packets: u16, keyframe: bool) -> Stamp {
        let [captured, sent] = [captured, now].map(|at| at.saturating_duration_since(self.epoch));
        Stamp { publisher: self.publisher, frame: self.frame, packet, packets, keyframe, captured, sent }
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
