//! The whole way, with what a real client brings.

use protocol::MediaKind;
use protocol::rtp::{RtpCapabilities, RtpEncodingParameters, RtpParameters, RtxParameters};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::*;
use crate::codec::Codec;
use crate::rtp::Extension;

/// What `mediasoup-client` makes of [`router_capabilities`] in Chromium.
fn chromium() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/chromium.json")).expect("the fixture is JSON")
}

fn capabilities() -> RtpCapabilities {
    serde_json::from_value(chromium()["recvRtpCapabilities"].clone()).expect("capabilities")
}

fn parameters(name: &str) -> RtpParameters {
    serde_json::from_value(chromium()[name].clone()).expect("parameters")
}

fn camera() -> RtpParameters {
    parameters("camera")
}

fn refusal(kind: MediaKind, parameters: &RtpParameters) -> UnsupportedParameters {
    producer_mapping(kind, parameters).expect_err("refused")
}

fn stream() -> ConsumerStream<'static> {
    ConsumerStream { mid: "7", cname: "someone", ssrc: 1111, rtx_ssrc: 2222 }
}

fn consumed(name: &str, kind: MediaKind, capabilities: &RtpCapabilities) -> RtpParameters {
    let producer = producer_mapping(kind, &parameters(name)).expect("a producer");
    assert!(can_consume(&producer, capabilities));
    consumer_parameters(&producer, capabilities, stream()).expect("consumable")
}

fn feedback(parameters: &RtpParameters) -> Vec<(&str, &str)> {
    parameters.codecs[0].rtcp_feedback.iter().map(|f| (f.kind.as_str(), f.parameter.as_str())).collect()
}

fn without(mut capabilities: RtpCapabilities, extensions: &[Extension]) -> RtpCapabilities {
    capabilities.header_extensions.retain(|e| !extensions.iter().any(|extension| extension.uri() == e.uri));
    capabilities
}

#[test]
fn a_camera_is_mapped_from_the_browsers_numbers_to_the_routers() {
    let mapping = producer_mapping(MediaKind::Video, &camera()).expect("a producer");
    assert_eq!(mapping.codec.row.codec, Codec::Vp8);
    assert_eq!((mapping.payload_type, mapping.rtx_payload_type), (96, Some(97)));
    assert_eq!((mapping.codec.payload_type, mapping.codec.rtx_payload_type), (101, Some(102)));
    assert_eq!(mapping.extensions.id(Extension::Mid), Some(4));
    assert_eq!(mapping.extensions.extension(3), Some(Extension::TransportCc));
    let [encoding] = &mapping.encodings[..] else { panic!("one encoding") };
    assert!(encoding.ssrc.is_some() && encoding.rtx_ssrc.is_some() && encoding.rid.is_none());
    assert_eq!(mapping.mid.as_deref(), Some("1"));
    assert!(mapping.cname.is_some());
}

#[test]
fn a_microphone_is_mapped_with_the_settings_that_its_listeners_need() {
    let mapping = producer_mapping(MediaKind::Audio, &parameters("mic")).expect("a producer");
    assert_eq!(mapping.codec.row.codec, Codec::Opus);
    assert_eq!((mapping.payload_type, mapping.rtx_payload_type), (111, None));
    assert_eq!(json!(mapping.settings), json!({"minptime": 10, "useinbandfec": 1}));
    assert!(mapping.extensions.id(Extension::AudioLevel).is_some());
}

#[test]
fn sound_is_sent_again_between_workers_and_not_to_clients() {
    let microphone = producer_mapping(MediaKind::Audio, &parameters("mic")).expect("a producer");
    let told = pipe_parameters(&microphone, &[(5, 6)]);
    let mapping = producer_mapping(MediaKind::Audio, &told).expect("as it understands a client's");
    assert_eq!((mapping.payload_type, mapping.rtx_payload_type), (100, Some(127)));
    assert_eq!((mapping.encodings[0].ssrc, mapping.encodings[0].rtx_ssrc), (Some(5), Some(6)));
    let got = consumer_parameters(&mapping, &router_capabilities(), stream()).expect("consumable");
    assert_eq!((got.codecs.len(), got.encodings[0].rtx), (1, None));
}

#[test]
fn simulcast_is_mapped_by_rid() {
    let mapping = producer_mapping(MediaKind::Video, &parameters("simulcast")).expect("a producer");
    let rids: Vec<_> = mapping.encodings.iter().filter_map(|encoding| encoding.rid.as_deref()).collect();
    assert_eq!(rids, ["r0", "r1", "r2"]);
    assert_eq!(mapping.encodings[2].max_bitrate, Some(2_500_000));
    assert_eq!(mapping.cname, None, "the client says \"\" where the SDP has none");
}

#[test]
fn a_camera_is_consumed_with_the_routers_numbers_and_retransmissions() {
    let got = consumed("camera", MediaKind::Video, &capabilities());
    assert_eq!(
        json!(got),
        json!({
            "mid": "7",
            "codecs": [
                {
                    "mimeType": "video/VP8", "payloadType": 101, "clockRate": 90000, "parameters": {},
                    "rtcpFeedback": [
                        {"type": "nack", "parameter": ""}, {"type": "nack", "parameter": "pli"},
                        {"type": "ccm", "parameter": "fir"}, {"type": "transport-cc", "parameter": ""}
                    ]
                },
                {
                    "mimeType": "video/rtx", "payloadType": 102, "clockRate": 90000, "parameters": {"apt": 101},
                    "rtcpFeedback": []
                }
            ],
            "headerExtensions": [
                {"uri": Extension::Mid.uri(), "id": 1, "encrypt": false},
                {"uri": Extension::AbsSendTime.uri(), "id": 4, "encrypt": false},
                {"uri": Extension::TransportCc.uri(), "id": 5, "encrypt": false},
                {"uri": Extension::DependencyDescriptor.uri(), "id": 7, "encrypt": false},
                {"uri": Extension::VideoOrientation.uri(), "id": 8, "encrypt": false},
                {"uri": Extension::TransmissionOffset.uri(), "id": 9, "encrypt": false},
                {"uri": Extension::PlayoutDelay.uri(), "id": 11, "encrypt": false}
            ],
            "encodings": [{"ssrc": 1111, "rtx": {"ssrc": 2222}}],
            "rtcp": {"cname": "someone", "reducedSize": true}
        })
    );
}

#[test]
fn every_codec_of_a_browser_is_produced_and_consumed() {
    for (name, codec, theirs, ours) in [
        ("h264", Codec::H264, (108, 109), (103, 104)),
        ("vp9", Codec::Vp9, (98, 99), (105, 106)),
        ("av1", Codec::Av1, (45, 46), (107, 108)),
    ] {
        let mapping = producer_mapping(MediaKind::Video, &parameters(name)).expect("a producer");
        assert_eq!(mapping.codec.row.codec, codec);
        assert_eq!((mapping.payload_type, mapping.rtx_payload_type), (theirs.0, Some(theirs.1)));
        let got = consumed(name, MediaKind::Video, &capabilities());
        let types: Vec<_> = got.codecs.iter().map(|codec| codec.payload_type).collect();
        assert_eq!(types, [ours.0, ours.1]);
        assert_eq!(got.codecs[1].parameters, capabilities::rtx_settings(ours.0));
        assert_eq!(got.codecs[0].parameters, parameters(name).codecs[0].parameters, "as the publisher says");
        assert_eq!(feedback(&got), [("nack", ""), ("nack", "pli"), ("ccm", "fir"), ("transport-cc", "")]);
        assert!(got.encodings[0].rtx.is_some());
    }
}

#[test]
fn another_profile_is_another_codec() {
    for (name, setting, value) in [
        ("h264", "profile-level-id", json!("640c1f")),
        ("h264", "packetization-mode", json!(0)),
        ("vp9", "profile-id", json!(2)),
        ("av1", "profile", json!(1)),
    ] {
        let mut other = chromium()[name].clone();
        other["codecs"][0]["parameters"][setting] = value.clone();
        let other: RtpParameters = serde_json::from_value(other).expect("parameters");
        assert!(matches!(refusal(MediaKind::Video, &other), UnsupportedParameters::Codec { .. }), "{setting}");

        let producer = producer_mapping(MediaKind::Video, &parameters(name)).expect("a producer");
        let mut able = chromium()["recvRtpCapabilities"].clone();
        for codec in able["codecs"].as_array_mut().expect("codecs") {
            if codec["parameters"].get(setting).is_some() {
                codec["parameters"][setting] = value.clone();
            }
        }
        assert!(!can_consume(&producer, &serde_json::from_value(able).expect("capabilities")), "{setting}");
    }
}

#[test]
fn a_microphone_is_consumed_without_nack_and_with_extensions_that_the_client_lists_for_video() {
    let got = consumed("mic", MediaKind::Audio, &capabilities());
    assert_eq!(got.codecs.len(), 1);
    assert_eq!(got.codecs[0].channels, Some(2));
    assert_eq!(json!(got.codecs[0].parameters), json!({"minptime": 10, "useinbandfec": 1}));
    assert_eq!(feedback(&got), [], "audio is sent without transport-cc");
    let ids: Vec<_> = got.header_extensions.iter().map(|extension| extension.id).collect();
    assert_eq!(ids, [1, 4, 6]);
    assert_eq!(json!(got.encodings), json!([{"ssrc": 1111}]));
}

#[test]
fn simulcast_is_consumed_as_one_stream_with_layers() {
    let got = consumed("simulcast", MediaKind::Video, &capabilities());
    assert_eq!(json!(got.encodings), json!([{"ssrc": 1111, "rtx": {"ssrc": 2222}, "scalabilityMode": "L3T3"}]));
}

#[test]
fn one_stream_keeps_its_scalability_mode() {
    let mut parameters = camera();
    parameters.encodings[0].scalability_mode = Some("L3T3_KEY".to_owned());
    let producer = producer_mapping(MediaKind::Video, &parameters).expect("a producer");
    let got = consumer_parameters(&producer, &capabilities(), stream()).expect("consumable");
    assert_eq!(got.encodings[0].scalability_mode.as_deref(), Some("L3T3_KEY"));
}

#[test]
fn bandwidth_is_estimated_in_one_way() {
    let kinds = |capabilities: &RtpCapabilities| {
        let got = consumed("camera", MediaKind::Video, capabilities);
        let estimation = |kind: &&str| matches!(*kind, "transport-cc" | "goog-remb");
        feedback(&got).into_iter().map(|(kind, _)| kind).filter(estimation).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&capabilities()), ["transport-cc"]);
    assert_eq!(kinds(&without(capabilities(), &[Extension::TransportCc])), ["goog-remb"]);
    let neither = without(capabilities(), &[Extension::TransportCc, Extension::AbsSendTime]);
    assert_eq!(kinds(&neither), [""; 0]);
}

#[test]
fn an_extension_is_used_only_under_the_routers_id() {
    let mut other = capabilities();
    for extension in &mut other.header_extensions {
        extension.preferred_id += 1;
    }
    assert_eq!(consumed("camera", MediaKind::Video, &other).header_extensions, []);
}

#[test]
fn a_client_without_rtx_gets_neither_rtx_nor_plain_nack() {
    let mut capabilities = capabilities();
    capabilities.codecs.retain(|codec| codec.mime_type != "video/rtx");
    let got = consumed("camera", MediaKind::Video, &capabilities);
    assert_eq!(got.codecs.len(), 1);
    assert_eq!(got.encodings[0].rtx, None);
    assert_eq!(feedback(&got), [("nack", "pli"), ("ccm", "fir"), ("transport-cc", "")]);
}

#[test]
fn rtx_of_another_codec_does_not_count() {
    let mut capabilities = capabilities();
    for codec in capabilities.codecs.iter_mut().filter(|codec| codec.mime_type == "video/rtx") {
        codec.parameters = capabilities::rtx_settings(125);
    }
    assert_eq!(consumed("camera", MediaKind::Video, &capabilities).codecs.len(), 1);
}

#[test]
fn a_client_without_the_codec_cannot_consume() {
    let producer = producer_mapping(MediaKind::Video, &camera()).expect("a producer");
    let mut capabilities = capabilities();
    capabilities.codecs.retain(|codec| codec.mime_type != "video/VP8");
    assert!(!can_consume(&producer, &capabilities));
    let refused = consumer_parameters(&producer, &capabilities, stream());
    assert_eq!(refused, Err(CannotConsume::Codec("video/VP8")));
    assert!(!can_consume(&producer, &RtpCapabilities::default()));
}

#[test]
fn codecs_that_cannot_be_used_are_named_with_what_can() {
    let mut parameters = camera();
    parameters.codecs[0].mime_type = "video/H265\r\n".to_owned();
    let message = refusal(MediaKind::Video, &parameters).to_string();
    assert_eq!(
        message,
        "codec video/H265\\r\\n/90000 of payload type 96 is not supported here; allowed are video/VP8/90000, \
         video/H264/90000, video/VP9/90000, video/AV1/90000"
    );
    assert!(matches!(refusal(MediaKind::Audio, &camera()), UnsupportedParameters::Codec { .. }));
    parameters.codecs.clear();
    assert_eq!(
        refusal(MediaKind::Audio, &parameters),
        UnsupportedParameters::NoCodec { allowed: "audio/opus/48000/2".to_owned() }
    );
}

#[test]
fn payload_types_must_be_distinct_and_in_range() {
    let mut parameters = camera();
    parameters.codecs[1].payload_type = 96;
    assert_eq!(refusal(MediaKind::Video, &parameters), UnsupportedParameters::DuplicatePayloadType(96));
    for bad in [64, 72, 95, 128, 255] {
        parameters.codecs[1].payload_type = bad;
        assert_eq!(refusal(MediaKind::Video, &parameters), UnsupportedParameters::PayloadType(bad));
    }
    let mut parameters = camera();
    parameters.codecs[1].parameters = capabilities::rtx_settings(100);
    assert_eq!(refusal(MediaKind::Video, &parameters), UnsupportedParameters::RtxWithoutCodec(97));
}

#[test]
fn ssrcs_must_be_distinct_and_not_0() {
    let mut parameters = camera();
    parameters.encodings[0].ssrc = Some(0);
    assert_eq!(refusal(MediaKind::Video, &parameters), UnsupportedParameters::ZeroSsrc(0));
    parameters.encodings[0].ssrc = Some(5);
    parameters.encodings[0].rtx = Some(RtxParameters { ssrc: 5 });
    assert_eq!(refusal(MediaKind::Video, &parameters), UnsupportedParameters::DuplicateSsrc(5));
    parameters.encodings[0] = RtpEncodingParameters::default();
    assert_eq!(refusal(MediaKind::Video, &parameters), UnsupportedParameters::UnnamedEncoding(0));
    parameters.encodings.clear();
    assert_eq!(refusal(MediaKind::Video, &parameters), UnsupportedParameters::NoEncodings);
}

#[test]
fn rids_must_be_distinct_well_formed_and_carried_by_packets() {
    let mut parameters = parameters("simulcast");
    for bad in ["", "a b", "ä", "r;1", "seventeen-letters"] {
        parameters.encodings[1].rid = Some(bad.to_owned());
        assert_eq!(refusal(MediaKind::Video, &parameters), UnsupportedParameters::Rid(1), "{bad}");
    }
    parameters.encodings[1].rid = Some("r0".to_owned());
    assert_eq!(refusal(MediaKind::Video, &parameters), UnsupportedParameters::DuplicateRid(1));
    parameters.encodings[1].rid = Some("r1".to_owned());
    parameters.header_extensions.retain(|extension| extension.uri != Extension::Rid.uri());
    assert_eq!(refusal(MediaKind::Video, &parameters), UnsupportedParameters::RidExtensions);
}

#[test]
fn header_extension_ids_must_be_distinct_legal_and_in_the_clear() {
    let with = |edit: fn(&mut RtpParameters)| {
        let mut parameters = camera();
        edit(&mut parameters);
        refusal(MediaKind::Video, &parameters)
    };
    assert_eq!(with(|p| p.header_extensions[0].id = 0), UnsupportedParameters::ExtensionId(0));
    assert_eq!(with(|p| p.header_extensions[0].id = 15), UnsupportedParameters::ExtensionId(15));
    assert_eq!(with(|p| p.header_extensions[0].encrypt = true), UnsupportedParameters::EncryptedExtension(4));
    assert_eq!(with(|p| p.header_extensions[1].id = 4), UnsupportedParameters::DuplicateExtension(4));
}

#[test]
fn encodings_use_one_listed_codec() {
    let mut parameters = parameters("simulcast");
    parameters.encodings[0].codec_payload_type = Some(96);
    assert!(producer_mapping(MediaKind::Video, &parameters).is_ok());
    parameters.encodings[1].codec_payload_type = Some(97);
    assert_eq!(refusal(MediaKind::Video, &parameters), UnsupportedParameters::EncodingCodec(1));
    parameters.encodings[0].codec_payload_type = Some(97);
    assert_eq!(refusal(MediaKind::Video, &parameters), UnsupportedParameters::EncodingCodec(0));
}

#[test]
fn lists_are_bounded() {
    let mut parameters = camera();
    parameters.encodings = (1..=9).map(|n| RtpEncodingParameters { ssrc: Some(n), ..Default::default() }).collect();
    assert_eq!(refusal(MediaKind::Video, &parameters).to_string(), "9 encodings are given, at most 4 are allowed");
    let mut parameters = self::parameters("mic");
    let second = RtpEncodingParameters { ssrc: Some(1), ..Default::default() };
    parameters.encodings.push(second);
    assert_eq!(refusal(MediaKind::Audio, &parameters), UnsupportedParameters::AudioEncodings(2));
}

#[test]
fn texts_cannot_break_out_of_another_clients_sdp() {
    let mut parameters = camera();
    parameters.rtcp.cname = Some("x\r\na=candidate".to_owned());
    assert!(matches!(refusal(MediaKind::Video, &parameters), UnsupportedParameters::Text { what: "rtcp.cname", .. }));
    let mut parameters = self::parameters("mic");
    for bad in ["1\r\na=x:y", "1;stereo=1"] {
        let setting = protocol::rtp::CodecSetting::Text(bad.to_owned());
        parameters.codecs[0].parameters.insert("stereo".to_owned(), setting);
        assert!(producer_mapping(MediaKind::Audio, &parameters).is_err(), "{bad:?}");
    }
    parameters.codecs[0].parameters.remove("stereo");
    let unknown = protocol::rtp::CodecSetting::Text("\r\n".to_owned());
    parameters.codecs[0].parameters.insert("x-unknown\r\n".to_owned(), unknown);
    let mapping = producer_mapping(MediaKind::Audio, &parameters).expect("settings off the table are left out");
    assert!(mapping.settings.keys().all(|name| !name.starts_with('x')));
}

#[test]
fn mutated_parameters_never_panic_and_what_is_accepted_is_sound() {
    let fixture = chromium();
    let (mut accepted, mut consumed) = (0, 0);
    for seed in 0..5_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let name = ["mic", "camera", "simulcast", "h264", "vp9", "av1"][rng.random_range(0..6)];
        let kind = if rng.random_bool(0.9) == (name == "mic") { MediaKind::Audio } else { MediaKind::Video };
        let mut brought = fixture[name].clone();
        let mut able = fixture["recvRtpCapabilities"].clone();
        for _ in 0..rng.random_range(0..4) {
            mutate(&mut brought, &mut rng);
        }
        for _ in 0..rng.random_range(0..4) {
            mutate(&mut able, &mut rng);
        }
        let (Ok(brought), Ok(able)) =
            (serde_json::from_value::<RtpParameters>(brought), serde_json::from_value::<RtpCapabilities>(able))
        else {
            continue;
        };
        let Ok(mapping) = producer_mapping(kind, &brought) else { continue };
        accepted += 1;
        assert!((1..=producer::ENCODINGS_MAX).contains(&mapping.encodings.len()), "seed {seed}");
        assert!(mapping.encodings.iter().all(|e| e.ssrc != Some(0) && e.rtx_ssrc != Some(0)), "seed {seed}");
        let result = consumer_parameters(&mapping, &able, stream());
        assert_eq!(result.is_ok(), can_consume(&mapping, &able), "seed {seed}");
        let Ok(got) = result else { continue };
        consumed += 1;
        assert_eq!(got.encodings.len(), 1, "seed {seed}");
        assert_eq!(got.codecs.len() == 2, got.encodings[0].rtx.is_some(), "seed {seed}");
        let text = serde_json::to_string(&got).expect("JSON");
        assert!(!text.contains("\\r") && !text.contains("\\n"), "seed {seed}: {text}");
    }
    assert!(accepted > 500 && consumed > 250, "the mutations leave something to test: {accepted}, {consumed}");
}

/// Changes, removes or repeats one value somewhere in a JSON tree.
fn mutate(value: &mut Value, rng: &mut ChaCha8Rng) {
    match value {
        Value::Object(fields) if !fields.is_empty() && rng.random_bool(0.95) => {
            let index = rng.random_range(0..fields.len());
            let Some(key) = fields.keys().nth(index).cloned() else { return };
            if rng.random_bool(0.1) {
                fields.remove(&key);
            } else if let Some(field) = fields.get_mut(&key) {
                mutate(field, rng);
            }
        }
        Value::Array(items) if !items.is_empty() && rng.random_bool(0.95) => {
            let index = rng.random_range(0..items.len());
            match rng.random_range(0..10) {
                0 => drop(items.remove(index)),
                1 => items.extend(std::iter::repeat_n(items[index].clone(), rng.random_range(1..40))),
                _ => mutate(&mut items[index], rng),
            }
        }
        _ => {
            let other = [
                json!(null),
                json!(0),
                json!(rng.random_range(0..256)),
                json!(rng.random::<u32>()),
                json!(i64::MIN),
                json!(""),
                json!("x\r\ny"),
                json!("ü".repeat(300)),
                json!("video/VP8"),
                json!("audio/opus"),
                json!("rtx"),
                json!([]),
                json!({}),
                json!(true),
            ];
            *value = other[rng.random_range(0..other.len())].clone();
        }
    }
}
