//! Cameras in rooms where not everybody has every codec.

use super::*;

/// Joins as somebody whose browser lacks these codecs.
async fn join_without(conductor: &Conductor, name: &str, lacking: &[&str]) -> Page {
    let room = "daily".parse().expect("a room's name");
    let place = conductor.join_place(room, JoinPlace { resume_token: None, avoid: Vec::new() }).await.expect("a place");
    let mut rtp_capabilities = place.router_rtp_capabilities.into_owned();
    rtp_capabilities.codecs.retain(|codec| !lacking.contains(&codec.mime_type.as_str()));
    let join = Join { name: name.to_owned(), rtp_capabilities, enable_sctp: false };
    Page::connect(conductor, ConnectAuth { token: place.token, join: Some(join), resume: None }).await.expect("joined")
}

async fn produce_camera(page: &mut Page, mime_type: &str, ssrc: u32) -> ProducerId {
    let transport_id = page.send_transport();
    let rtp_parameters: RtpParameters = serde_json::from_value(json!({
        "mid": ssrc.to_string(),
        "codecs": [{ "mimeType": mime_type, "payloadType": 96, "clockRate": 90000 }],
        "encodings": [{ "ssrc": ssrc }],
        "rtcp": { "cname": "page" },
    }))
    .expect("parameters");
    let (source, kind) = (Source::Camera, MediaKind::Video);
    match page.request(Request::Produce { transport_id, source, kind, rtp_parameters, paused: false }).await {
        Ok(Reply::Produce { id }) => id,
        other => panic!("not produced: {other:?}"),
    }
}

#[tokio::test]
async fn a_publisher_is_told_what_everybody_has_and_with_that_who_was_left_out_receives() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    assert_eq!(anna.welcome.room.video_codecs, ["video/VP8", "video/H264", "video/VP9", "video/AV1"]);
    let camera = produce_camera(&mut anna, "video/VP9", 1).await;
    anna.hears(|n| matches!(n, Notification::ProducerAdded { .. })).await;
    let mut cara = Page::join(&conductor, "daily", "Cara").await;
    let consumer = cara.consume(camera).await.expect("consumed");
    anna.hears(|n| matches!(n, Notification::ParticipantJoined { .. })).await;

    let mut ben = join_without(&conductor, "Ben", &["video/VP9"]).await;
    let common = ["video/VP8", "video/H264", "video/AV1"];
    assert_eq!(ben.welcome.room.video_codecs, common);
    assert_eq!(ben.consume(camera).await.expect_err("no VP9").code, ErrorCode::UnsupportedMedia);
    for page in [&mut anna, &mut cara] {
        page.hears(|n| matches!(n, Notification::ParticipantJoined { .. })).await;
        page.hears(|n| matches!(n, Notification::VideoCodecsChanged { video_codecs, .. } if *video_codecs == common))
            .await;
    }

    assert_eq!(produce_camera(&mut anna, "video/VP8", 2).await, camera, "a source is one producer");
    ben.hears(|n| matches!(n, Notification::ProducerAdded { producer, .. } if producer.id == camera)).await;
    let mut heard = Vec::new();
    for _ in 0..2 {
        let Outgoing::Notify(news) = cara.next().await else { panic!("closed") };
        if let Notification::ConsumerClosed { consumer_id } = *news {
            assert_eq!(consumer_id, consumer);
        }
        heard.push((*news).clone().into_event().0);
    }
    heard.sort_unstable();
    assert_eq!(heard, ["consumerClosed", "producerAdded"]);
    for page in [&mut ben, &mut cara] {
        page.consume(camera).await.expect("VP8 is everybody's");
    }
}

#[tokio::test]
async fn who_claims_to_have_no_codec_changes_nothing_for_the_others() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let camera = produce_camera(&mut anna, "video/VP9", 1).await;
    anna.hears(|n| matches!(n, Notification::ProducerAdded { .. })).await;
    let all = anna.welcome.room.video_codecs.clone();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut eve = join_without(&conductor, "Eve", &all).await;
    assert_eq!(eve.welcome.room.video_codecs, all);
    assert_eq!(eve.consume(camera).await.expect_err("no codec").code, ErrorCode::UnsupportedMedia);
    anna.hears(|n| matches!(n, Notification::ParticipantJoined { .. })).await;
    eve.request(Request::Leave {}).await.expect("left");
    anna.hears(|n| matches!(n, Notification::ParticipantLeft { .. })).await;
}
