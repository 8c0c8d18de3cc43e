//! What synthetic cameras and microphones send.

use std::time::Duration;

use loadtest::client::{AudioConfig, VideoConfig};

/// Of a packet as it leaves the server: RTP header with the extensions that a receiver takes of a picture and of
/// sound, and SRTP's tag.
pub(crate) const HEADER_BYTES: usize = 28;
pub(crate) const AUDIO_HEADER_BYTES: usize = 24;
pub(crate) const TAG_BYTES: usize = 16;

/// A camera whose frames are three packets of 1159 and three of 1160 bytes, 30 a second: 1.7 Mbit/s.
pub(crate) const VIDEO: VideoConfig = VideoConfig {
    frame_rate: 30,
    packets: 6,
    keyframe_packets: 12,
    bytes: 1115,
    encoding: Duration::ZERO,
    spacing: Duration::ZERO,
    keyframe_interval: None,
    recording: None,
};

/// A microphone whose packets are of 100 bytes, 50 a second.
pub(crate) const AUDIO: AudioConfig = AudioConfig { bytes: 60, level: -20 };

/// A picture in three sizes, as libwebrtc sends 960x540: 150, 500 and 1,200 kbit/s.
pub(crate) const LAYERS: [VideoConfig; 3] = [
    VideoConfig { packets: 1, keyframe_packets: 3, bytes: 625, ..VIDEO },
    VideoConfig { packets: 2, keyframe_packets: 6, bytes: 1040, ..VIDEO },
    VideoConfig { packets: 5, keyframe_packets: 15, bytes: 1000, ..VIDEO },
];
