//! Who meets where.

use std::path::PathBuf;
use std::time::Duration;

use loadtest::client::{AudioConfig, VideoConfig};

use super::attend::Media;

/// How loud who talks is, and who does not, in dBov.
const TALKING: i8 = -25;
const SILENT: i8 = -127;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A running server on this machine, for example http://127.0.0.1:4400/.
    #[arg(long, required_unless_present = "server", conflicts_with = "server")]
    pub(super) url: Option<String>,
    /// The running server's process, for its CPU time and memory.
    #[arg(long, requires = "url")]
    pub(super) pid: Option<u32>,
    /// The server's program, to be started for the run.
    #[arg(long)]
    pub(super) server: Option<PathBuf>,
    /// Workers of the server that is started.
    #[arg(long, default_value_t = 1, requires = "server")]
    pub(super) workers: usize,
    /// The room's name; several rooms are numbered.
    #[arg(long, default_value = "loadtest")]
    room: String,
    /// How many rooms.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rooms: u32,
    /// How many people of a room send microphone and camera, and receive the others.
    #[arg(long, default_value_t = 5)]
    pub(super) publishers: u32,
    /// How many people of a room only receive.
    #[arg(long, default_value_t = 0)]
    pub(super) viewers: u32,
    /// How many publishers of a room talk; microphones of the others send silence.
    #[arg(long, default_value_t = 3)]
    talkers: u32,
    /// Frames that a camera sends in a second.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=120))]
    fps: u32,
    /// Packets of a frame; a keyframe has twice as many.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=500))]
    packets: u16,
    /// Payload of a video packet, in bytes.
    #[arg(long, default_value_t = 1130, value_parser = clap::value_parser!(u16).range(150..=1200))]
    bytes: u16,
    /// Payload of an audio packet, in bytes; there are 50 in a second.
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u16).range(40..=1200))]
    audio_bytes: u16,
    /// Joins in a second. A server lets one address join 20 times a second unless told otherwise.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) ramp: u32,
    /// One receiver in so many decrypts and verifies everything and measures latency; the rest only count by the
    /// headers.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) verify_every: u32,
    /// How long to measure once everybody is in, in seconds; without it until standard input closes.
    #[arg(long)]
    pub(super) seconds: Option<u64>,
    /// Print JSON: a line when everybody is in, and one at the end.
    #[arg(long)]
    pub(super) json: bool,
}

impl Options {
    pub(super) fn people(&self) -> u32 {
        self.rooms * (self.publishers + self.viewers)
    }

    /// How many streams they receive of each other.
    pub(super) fn streams(&self) -> usize {
        let (rooms, publishers, viewers) = (self.rooms as usize, self.publishers as usize, self.viewers as usize);
        rooms * publishers * (publishers + viewers).saturating_sub(1) * 2
    }

    pub(super) fn room(&self, index: u32) -> String {
        if self.rooms == 1 { self.room.clone() } else { format!("{}-{}", self.room, index + 1) }
    }

    /// What somebody publishes who is the `place`th of a room.
    pub(super) fn media(&self, place: u32) -> Option<Media> {
        let level = if place < self.talkers { TALKING } else { SILENT };
        let camera = VideoConfig {
            frame_rate: self.fps,
            packets: self.packets,
            keyframe_packets: self.packets * 2,
            bytes: self.bytes.into(),
            encoding: Duration::ZERO,
        };
        let microphone = AudioConfig { bytes: self.audio_bytes.into(), level };
        (place < self.publishers).then_some(Media { microphone, camera })
    }
}
