//! The works.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use loadtest::client::{AudioConfig, Recording, VideoConfig};

use super::call::{self, Call};
use super::row::Row;
use super::{Bench, joins, keyframe, memory, workers};
use crate::crowd::{Media, Plan};
use crate::floor::Stream;
use crate::shapes::{AUDIO, LAYERS, VIDEO};

/// People who join in a second, unless that is what is measured.
pub(super) const RAMP: u32 = 150;
/// Into larger rooms people come slower.
const LARGE: u32 = 400;

/// What the server can be measured at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Work {
    #[value(name = "video-1x50")]
    Video50,
    #[value(name = "video-1x300")]
    Video300,
    #[value(name = "video-1x1000")]
    Video1000,
    #[value(name = "recorded-1x300")]
    Recorded,
    #[value(name = "meeting-1x25-paced")]
    Paced,
    #[value(name = "audio-1x300")]
    Audio,
    #[value(name = "meeting-4x6")]
    Meeting,
    Keyframe,
    Latency,
    Memory,
    Joins,
    Workers,
    RoomOnTwoWorkers,
}

impl Work {
    /// All, in the order in which they are measured. Latency is one of video-1x300's figures, too.
    pub(super) const ALL: &[Self] = &[
        Self::Video50,
        Self::Video300,
        Self::Video1000,
        Self::Recorded,
        Self::Paced,
        Self::Audio,
        Self::Meeting,
        Self::Keyframe,
        Self::Latency,
        Self::Memory,
        Self::Joins,
        Self::Workers,
        Self::RoomOnTwoWorkers,
    ];

    pub(super) async fn measure(self, bench: &Bench) -> anyhow::Result<Row> {
        let name = self.to_string();
        match self {
            Self::Video50 => call::measure(bench, &name, one_camera(VIDEO, 50)).await,
            Self::Video300 | Self::Latency => call::measure(bench, &name, one_camera(VIDEO, 300)).await,
            Self::Video1000 => {
                let slow = VideoConfig { frame_rate: 8, ..VIDEO };
                call::measure(bench, &name, one_camera(slow, 1000)).await
            }
            Self::Recorded => {
                let recorded = VideoConfig { recording: Some(Recording::chromium()), ..VIDEO };
                call::measure(bench, &name, one_camera(recorded, 300)).await
            }
            Self::Paced => call::measure(bench, &name, paced()).await,
            Self::Audio => call::measure(bench, &name, one_microphone(AUDIO, 300)).await,
            Self::Meeting => call::measure(bench, &name, meetings()).await,
            Self::Keyframe => keyframe::measure(bench, &name).await,
            Self::Memory => memory::measure(bench, &name).await,
            Self::Joins => joins::measure(bench, &name).await,
            Self::Workers => workers::measure(bench, &name).await,
            Self::RoomOnTwoWorkers => workers::measure_room(bench, &name).await,
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// A room in which some send and others only receive.
pub(super) fn room(name: &str, publishers: Vec<Media>, viewers: u32) -> Plan {
    let room = name.to_owned();
    Plan { room, rooms: 1, publishers, viewers, found: 0, ramp: RAMP, verify_every: 20, threads: 1, impairment: None }
}

pub(super) fn camera(config: VideoConfig) -> Media {
    Media { microphone: None, camera: vec![config] }
}

pub(super) fn microphone(config: AudioConfig) -> Media {
    Media { microphone: Some(config), camera: Vec::new() }
}

fn call(plan: Plan, floor: Vec<Stream>) -> Call {
    Call { plan, floor, floor_receives: false, warm_up: Duration::ZERO }
}

fn one_camera(config: VideoConfig, receivers: u32) -> Call {
    let floor = vec![Stream::video(&config, Duration::ZERO, 0..receivers as usize)];
    let plan = room("video", vec![camera(config)], receivers);
    // Everybody is told of everybody who joins.
    let ramp = if receivers > LARGE { RAMP * LARGE / receivers } else { RAMP };
    call(Plan { ramp, ..plan }, floor)
}

fn one_microphone(config: AudioConfig, receivers: u32) -> Call {
    let floor = vec![Stream::audio(config, Duration::ZERO, 0..receivers as usize)];
    call(room("audio", vec![microphone(config)], receivers), floor)
}

/// 25 people whose packets come one by one, the frames of each at another time; 20 a second, since two cores do not
/// carry more of them and the generator too.
fn paced() -> Call {
    const PEOPLE: usize = 25;
    let config = VideoConfig { frame_rate: 20, spacing: Duration::from_micros(750), ..VIDEO };
    let frame = Duration::from_secs(1) / config.frame_rate;
    let stream = |person: usize| {
        let others = (0..PEOPLE).filter(move |other| *other != person);
        Stream::video(&config, frame * person as u32 / PEOPLE as u32, others)
    };
    let plan = room("paced", vec![camera(config); PEOPLE], 0);
    // Three of them verify: more would take the generator all of its core.
    call(Plan { verify_every: 10, ..plan }, (0..PEOPLE).map(stream).collect())
}

/// Four rooms of six people: sound, and the picture of one in the largest size and of the others in the middle one.
fn meetings() -> Call {
    const ROOMS: usize = 4;
    const PEOPLE: usize = 6;
    let person = Media { microphone: Some(AUDIO), camera: LAYERS.to_vec() };
    let plan = room("meeting", vec![person; PEOPLE], 0);
    let mut floor = Vec::new();
    for (room, person) in (0..ROOMS).flat_map(|room| (0..PEOPLE).map(move |person| (room, person))) {
        let number = |person: usize| room * PEOPLE + person % PEOPLE;
        let others = (1..PEOPLE).map(|other| number(person + other));
        let start = Duration::from_millis(33) * number(person) as u32 / (ROOMS * PEOPLE) as u32;
        floor.push(Stream::audio(AUDIO, start, others.clone()));
        let wanted = [Vec::new(), others.clone().skip(1).collect(), others.take(1).collect()];
        floor.extend(LAYERS.iter().zip(wanted).map(|(layer, wanted)| Stream::video(layer, start, wanted)));
    }
    let plan = Plan { rooms: ROOMS as u32, verify_every: 4, ..plan };
    // Until the estimates allow the largest size.
    Call { plan, floor, floor_receives: true, warm_up: Duration::from_secs(6) }
}
