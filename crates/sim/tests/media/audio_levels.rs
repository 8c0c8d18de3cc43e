use loadtest::client::AudioConfig;
use sfu::Event;
use sim::call::{Call, ROUTER};

use crate::{clean, face, seconds, stage};

#[test]
fn the_loudest_are_told_first_and_silence_is_not() {
    let mut call = Call::new(1);
    for (person, level) in [-40, -12, -127].into_iter().enumerate() {
        call.join(clean(), clean());
        call.publish_audio(person, AudioConfig { level, ..AudioConfig::default() });
    }
    call.connect();
    call.run(seconds(1));
    let microphone = |person: usize| call.people[person].producers[0];
    let levels: Vec<_> = call.events.iter().filter(|(_, event)| matches!(event, Event::AudioLevels { .. })).collect();
    assert!((2..=4).contains(&levels.len()), "at once, and two or three times a second: {levels:?}");
    let expected = Event::AudioLevels { router: ROUTER, levels: vec![(microphone(1), -12), (microphone(0), -40)] };
    assert!(levels.iter().skip(1).all(|(_, event)| *event == expected), "{levels:?}");
}

#[test]
fn levels_travel_to_the_receivers_in_their_header_extension() {
    let mut call = stage(1);
    call.run(seconds(1));
    assert_eq!(call.report(1, face(&call, 1).0).level, Some(AudioConfig::default().level));
}

#[test]
fn who_speaks_most_is_told_when_that_changes() {
    let mut call = Call::new(1);
    for (person, level) in [-30, -127, -20].into_iter().enumerate() {
        call.join(clean(), clean());
        call.publish_audio(person, AudioConfig { level, ..AudioConfig::default() });
    }
    call.connect();
    let set_sending = |call: &mut Call, person: usize, sending: bool| {
        let publisher = call.people[person].publisher;
        call.peers[publisher].client.set_sending(0, sending);
    };
    set_sending(&mut call, 2, false);
    call.run(seconds(2));
    set_sending(&mut call, 0, false);
    set_sending(&mut call, 2, true);
    call.run(seconds(3));
    let speakers = call.events.iter().filter_map(|(_, event)| match event {
        Event::ActiveSpeaker { producer, .. } => Some(*producer),
        _ => None,
    });
    assert_eq!(speakers.collect::<Vec<_>>(), [0, 2].map(|person| call.people[person].producers[0]));
}
