//! Calls through the SFU in virtual time, one behaviour per file.

mod address_change;
mod attacks;
mod audio_levels;
mod bandwidth_estimation;
mod congestion;
mod connections;
mod crowds_of_fifty;
mod data_channels;
mod garbage;
mod gathering;
mod ice_restart;
mod keyframe_requests;
mod large_rooms;
mod late_resume;
mod layers;
mod lip_sync;
mod local_pipes;
mod mute;
mod pacing;
mod pipes;
mod reload;
mod retransmission;
mod rooms_of_eight;
mod silence;
mod stats;
mod succession;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use loadtest::client::{AudioConfig, VideoConfig};
use sim::call::{Call, Consumption, Fate, Way};
use sim::network::Link;
use sim::two_workers::{THERE, TwoWorkers};

/// A way of 20 ms on which nothing else happens.
fn clean() -> Link {
    Link::clean(Duration::from_millis(20))
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// People 0 to `viewers`; the first sends audio and video, which all others receive.
fn stage(viewers: usize) -> Call {
    let mut call = Call::new(1);
    for _ in 0..=viewers {
        call.join(clean(), clean());
    }
    call.publish_audio(0, AudioConfig::default());
    call.publish_video(0, VideoConfig::default());
    call.connect();
    call.watch_all();
    call
}

/// What the person receives of the first one's microphone and camera.
fn face(call: &Call, person: usize) -> (Consumption, Consumption) {
    let consumptions = &call.people[person].consumptions;
    (consumptions[0], consumptions[1])
}

/// What clients there prove with where they are, over six seconds.
fn checks(two: &mut TwoWorkers) -> Vec<Vec<u8>> {
    let checks = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&checks);
    two.calls[THERE].meddler = Some(Box::new(move |_, way, bytes| {
        if way == Way::Up && bytes[0] == 0 {
            seen.borrow_mut().push(bytes.to_vec());
        }
        Fate::Pass
    }));
    two.run(seconds(6));
    let checks = checks.take();
    assert!(!checks.is_empty(), "a client proves where it is now and then");
    checks
}

/// The payload type and the sequence number of an RTP packet.
fn rtp(bytes: &[u8]) -> Option<(u8, u16)> {
    match bytes {
        &[128..=191, kind, a, b, ..] if !(192..224).contains(&kind) => Some((kind & 0x7f, u16::from_be_bytes([a, b]))),
        _ => None,
    }
}
