//! Who meets where.

use std::path::PathBuf;
use std::time::Duration;

use loadtest::client::{AudioConfig, Recording, VideoConfig};
use loadtest::network::Link;

use crate::crowd::{Media, Plan};
use crate::impairment::Impairment;
use crate::shapes;

/// How loud who talks is, and who does not, in dBov.
const TALKING: i8 = -25;
const SILENT: i8 = -127;
/// In percent: beyond that hardly anybody gets in.
const LOSS_MAX: f64 = 50.0;
/// What is on its way is kept.
const DELAY_MS_MAX: u64 = 5000;

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
    rooms: u32,
    /// How many people of a room send microphone and camera, and receive the others.
    #[arg(long, default_value_t = 5)]
    publishers: u32,
    /// How many people of a room only receive.
    #[arg(long, default_value_t = 0)]
    viewers: u32,
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
    /// Publishers have no camera.
    #[arg(long, conflicts_with_all = ["fps", "packets", "bytes", "recorded", "simulcast"])]
    sound_only: bool,
    /// Cameras send three sizes of one picture, together 1.9 Mbit/s; everybody receives one of them in the largest
    /// and the others in the middle one.
    #[arg(long, conflicts_with_all = ["fps", "packets", "bytes", "recorded"])]
    simulcast: bool,
    /// Cameras send packets of the sizes and at the times at which Chromium sent some.
    #[arg(long, conflicts_with_all = ["fps", "packets", "bytes"])]
    recorded: bool,
    /// Joins in a second. A server lets one address join 200 times a second unless told otherwise.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    ramp: u32,
    /// One receiver in so many decrypts and verifies everything and measures latency; the rest only count by the
    /// headers.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    verify_every: u32,
    /// Threads that receive.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Datagrams that are lost on the way to and from the server, each direction for itself, in percent.
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT", value_parser = percent)]
    pub(super) loss: f64,
    /// How long each direction takes, in milliseconds.
    #[arg(long, default_value_t = 0, value_name = "MS", value_parser = clap::value_parser!(u64).range(..=DELAY_MS_MAX))]
    delay: u64,
    /// Most that is added to that at random, in milliseconds; the order stays.
    #[arg(long, default_value_t = 0, value_name = "MS", value_parser = clap::value_parser!(u64).range(..=DELAY_MS_MAX))]
    jitter: u64,
    /// Decides what is lost and how late the rest comes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long to measure once everybody is in, in seconds; without it until standard input closes.
    #[arg(long)]
    pub(super) seconds: Option<u64>,
    /// Print JSON: a line when everybody is in, and one at the end.
    #[arg(long)]
    pub(super) json: bool,
}

/// A share that still lets somebody in.
fn percent(text: &str) -> Result<f64, String> {
    let percent = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=LOSS_MAX).contains(&percent) { Ok(percent) } else { Err(format!("0 to {LOSS_MAX}")) }
}

impl Options {
    pub(super) fn plan(&self) -> Plan {
        Plan {
            room: self.room.clone(),
            rooms: self.rooms,
            publishers: (0..self.publishers).map(|place| self.media(place)).collect(),
            viewers: self.viewers,
            found: 0,
            ramp: self.ramp,
            verify_every: self.verify_every,
            threads: self.threads,
            impairment: self.impairment(),
        }
    }

    fn impairment(&self) -> Option<Impairment> {
        let (delay, jitter) = (Duration::from_millis(self.delay), Duration::from_millis(self.jitter));
        let link = Link { jitter, loss: self.loss / 100.0, ..Link::clean(delay) };
        (link != Link::clean(Duration::ZERO)).then_some(Impairment { link, seed: self.seed })
    }

    /// What somebody publishes who is the `place`th of a room.
    fn media(&self, place: u32) -> Media {
        let level = if place < self.talkers { TALKING } else { SILENT };
        let one = VideoConfig {
            frame_rate: self.fps,
            packets: self.packets,
            keyframe_packets: self.packets * 2,
            bytes: self.bytes.into(),
            recording: self.recorded.then(Recording::chromium),
            ..VideoConfig::default()
        };
        let camera = match (self.sound_only, self.simulcast) {
            (true, _) => Vec::new(),
            (false, true) => shapes::LAYERS.to_vec(),
            (false, false) => vec![one],
        };
        Media { microphone: Some(AudioConfig { bytes: self.audio_bytes.into(), level }), camera }
    }
}
