//! Which video codecs everybody in the room can receive. Whoever publishes follows it, so that nobody is left without a
//! picture for want of a codec; nothing is transcoded.
//!
//! People say themselves what they can receive, and one who says something odd must not take the pictures of all
//! others. So whoever has neither of the two codecs that every WebRTC endpoint has (RFC 7742, 5) has no say, and neither
//! has who would leave no such codec to those who were asked before: first those who have VP8, then the others, both in
//! the order in which they joined. A codec that a browser encodes with all its strength, as AV1, is forced on nobody.

use crate::change::Change;
use crate::state::{Participant, Room};

/// What every endpoint with video has, the first choice first.
const MANDATORY: [&str; 2] = ["video/VP8", "video/H264"];

/// Works out anew what everybody can receive; to be called when somebody came or left. The change, if there is one.
pub(crate) fn agree(room: &mut Room) -> Option<Change> {
    let video_codecs = common(room.inside());
    if video_codecs == room.video_codecs {
        return None;
    }
    room.video_codecs.clone_from(&video_codecs);
    Some(Change::VideoCodecsChanged { video_codecs })
}

fn common<'a>(participants: impl Iterator<Item = &'a Participant>) -> Vec<String> {
    let [first_choice, _] = MANDATORY;
    let has = |codecs: &[String], wanted: &str| codecs.iter().any(|codec| codec == wanted);
    let mut people: Vec<&Participant> = participants.collect();
    people.sort_by_key(|participant| (!has(&participant.video_codecs, first_choice), participant.joined));
    let mut common: Option<Vec<String>> = None;
    for Participant { video_codecs, .. } in people {
        let left: Vec<String> = match &common {
            Some(common) if common == video_codecs => continue,
            Some(common) => common.iter().filter(|codec| has(video_codecs, codec)).cloned().collect(),
            None => video_codecs.clone(),
        };
        if MANDATORY.iter().any(|codec| has(&left, codec)) {
            common = Some(left);
        }
    }
    common.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use protocol::event::RoomEvent;

    use super::*;
    use crate::change::Outcome;
    use crate::testing::{HERE, Story, binding, changes};

    const ALL: [&str; 4] = ["VP8", "H264", "VP9", "AV1"];

    /// What the room can receive, without `video/`.
    fn codecs(story: &Story) -> Vec<String> {
        let codecs = story.room.snapshot().video_codecs;
        codecs.into_iter().map(|codec| codec.replace("video/", "")).collect()
    }

    fn joined(story: &mut Story, participant: u64, codecs: &[&str]) -> Outcome {
        story.join_with(participant, participant, "P", codecs)
    }

    fn changed(codecs: &[&str]) -> Change {
        Change::VideoCodecsChanged { video_codecs: codecs.iter().map(|codec| format!("video/{codec}")).collect() }
    }

    #[test]
    fn who_lacks_a_codec_takes_it_from_the_room_until_they_leave() {
        let mut story = Story::new();
        assert_eq!(changes(&joined(&mut story, 1, &ALL))[1..], [changed(&ALL)]);
        assert_eq!(changes(&joined(&mut story, 2, &ALL))[1..], []);
        let lacking = joined(&mut story, 3, &["VP8", "H264", "AV1"]);
        assert_eq!(changes(&lacking)[1..], [changed(&["VP8", "H264", "AV1"])]);
        assert_eq!(codecs(&story), ["VP8", "H264", "AV1"]);
        let left = story.ask(binding(&lacking), 1, RoomEvent::Left {});
        assert_eq!(changes(&left)[1..], [changed(&ALL)]);
        assert_eq!(codecs(&story), ALL);
    }

    #[test]
    fn who_is_away_for_too_long_has_no_say_any_more() {
        let mut story = Story::new();
        joined(&mut story, 1, &ALL);
        let lacking = binding(&joined(&mut story, 2, &["VP8"]));
        assert_eq!(changes(&story.own(HERE, Some(lacking), RoomEvent::Held { closing: false }))[1..], []);
        let expired = story.own(HERE, Some(lacking), RoomEvent::GraceExpired {});
        assert_eq!(changes(&expired)[1..], [changed(&ALL)]);
    }

    #[test]
    fn a_reload_may_bring_other_codecs() {
        let mut story = Story::new();
        joined(&mut story, 1, &ALL);
        assert_eq!(changes(&story.join_with(1, 2, "P", &["VP8"]))[1..], [changed(&["VP8"])]);
        assert_eq!(changes(&story.join_with(1, 3, "P", &["VP8"]))[1..], []);
    }

    #[test]
    fn whoever_claims_to_have_nothing_changes_nothing() {
        for claim in [&[][..], &["AV1"], &["VP9", "AV1"], &["H266"]] {
            let mut story = Story::new();
            joined(&mut story, 1, claim);
            assert_eq!(codecs(&story), <[&str; 0]>::default(), "{claim:?}");
            joined(&mut story, 2, &["VP8", "AV1"]);
            joined(&mut story, 3, &ALL);
            assert_eq!(codecs(&story), ["VP8", "AV1"], "{claim:?}");
        }
    }

    #[test]
    fn who_lacks_vp8_is_followed_where_everybody_has_h264() {
        let mut story = Story::new();
        joined(&mut story, 1, &["H264", "AV1"]);
        joined(&mut story, 2, &ALL);
        assert_eq!(codecs(&story), ["H264", "AV1"]);
        let only_vp8 = binding(&joined(&mut story, 3, &["VP8", "VP9"]));
        assert_eq!(codecs(&story), ["VP8", "VP9"], "those with VP8 are asked first");
        story.ask(only_vp8, 1, RoomEvent::Left {});
        assert_eq!(codecs(&story), ["H264", "AV1"]);
    }

    #[test]
    fn a_room_that_begins_again_has_agreed_on_nothing() {
        let mut story = Story::new();
        let last = binding(&joined(&mut story, 1, &ALL));
        assert_eq!(changes(&story.ask(last, 1, RoomEvent::Left {}))[1..], [Change::Ended]);
        assert_eq!(codecs(&story), <[&str; 0]>::default());
    }
}
