//! `web/src/client/protocol.ts` holds the wire types in TypeScript. It is written from the Rust types by
//! `script/generate`, which runs this test with `HYPERION_GENERATE=1`; without it the test compares.

use std::fmt::Write as _;
use std::path::Path;

use protocol::{error, ids, notification, request, roles, rtp, sctp, signal, snapshot, stats, transport};
use ts_rs::{Config, TS};

const HEADER: &str = "\
// generated from crates/protocol; script/generate writes it
//
// The wire types of docs/signaling.md. Where `mediasoup-client` has a type of the same name, each is assignable
// to the other.
";

/// What TypeScript can say and Rust does not need: names that map an event to its types.
const TAIL: &str = "
/**
 * The header extensions that `mediasoup-client` has names for. The server may list others, which go to
 * `mediasoup-client` and back as they are.
 */
export type RtpHeaderExtensionUri =
  | \"urn:ietf:params:rtp-hdrext:sdes:mid\"
  | \"urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\"
  | \"urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\"
  | \"http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\"
  | \"http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\"
  | \"urn:ietf:params:rtp-hdrext:ssrc-audio-level\"
  | \"https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension\"
  | \"urn:3gpp:video-orientation\"
  | \"http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time\"
  | \"http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\"
  | \"urn:mediasoup:params:rtp-hdrext:packet-id\";

/** The name of a request event. */
export type RequestEvent = Request[\"event\"];

/** The data of the request event `E`. */
export type RequestData<E extends RequestEvent> = Extract<Request, { event: E }>[\"data\"];

/** The data of a successful acknowledgement of the request event `E`. */
export type RequestReply<E extends RequestEvent> = RequestMap[E][\"reply\"];

/** The name of a notification event. */
export type NotificationEvent = Notification[\"event\"];

/** The data of the notification event `E`. */
export type NotificationData<E extends NotificationEvent> = Extract<Notification, { event: E }>[\"data\"];

/** Notification event -> its data. */
export type NotificationMap = { [E in NotificationEvent]: NotificationData<E> };

/** Request event -> its data and what a successful acknowledgement carries. */
export type RequestMap = {
";

#[test]
fn the_committed_types_are_those_of_the_crate() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/src/client/protocol.ts");
    let generated = typescript();
    if std::env::var_os("HYPERION_GENERATE").is_some() {
        std::fs::create_dir_all(path.parent().expect("the path has a parent")).expect("web/src/client can be made");
        std::fs::write(&path, generated).expect("protocol.ts can be written");
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "web/src/client/protocol.ts differs from crates/protocol: run script/generate");
}

/// The whole file.
fn typescript() -> String {
    let mut out = HEADER.to_owned();
    macro_rules! declare {
        ($($ty:ty),* $(,)?) => { $( declare::<$ty>(&mut out); )* };
    }
    declare!(
        ids::RoomId,
        ids::NodeId,
        ids::ParticipantId,
        ids::ProducerId,
        ids::TransportId,
        ids::ConsumerId,
        ids::DataProducerId,
        ids::DataConsumerId,
        ids::Source,
        error::ErrorCode,
        error::ErrorBody,
        rtp::MediaKind,
        rtp::RtcpFeedback,
        rtp::RtpCodecCapability,
        rtp::ExtensionDirection,
        rtp::RtpHeaderExtension,
        rtp::RtpCapabilities,
        rtp::RtpCodecParameters,
        rtp::RtpHeaderExtensionParameters,
        rtp::RtxParameters,
        rtp::RtpEncodingParameters,
        rtp::RtcpParameters,
        rtp::RtpParameters,
        transport::IceParameters,
        transport::IceProtocol,
        transport::CandidateKind,
        transport::TcpKind,
        transport::IceCandidate,
        transport::DtlsRole,
        transport::DtlsFingerprint,
        transport::DtlsParameters,
        sctp::SctpParameters,
        sctp::SctpStreamParameters,
        sctp::DataConsumerCloseReason,
        transport::TransportOptions,
        stats::StreamStats,
        stats::ProducerStats,
        stats::ConsumerStats,
        stats::TransportStats,
        signal::Signal,
        roles::Role,
        roles::Setting,
        roles::RoomSettings,
        roles::Moderation,
        snapshot::ProducerView,
        snapshot::DataProducerView,
        snapshot::ParticipantView,
        snapshot::WaitingView,
        snapshot::ChatMessage,
        snapshot::RoomSnapshot,
        request::JoinPlace,
        request::IceServer,
        request::JoinPlaceReply,
        request::ResumePlace,
        request::ResumePlaceReply,
        request::Join,
        request::Resume,
        request::ConnectAuth,
        request::Welcome,
        request::Waiting,
        request::Direction,
        request::Envelope,
        request::True,
        request::False,
        request::Ack<String>,
        request::Request,
        request::ConsumerOptions,
        request::ConsumeResult,
        request::DataConsumerOptions,
        request::ConsumeDataResult,
        request::Reply,
        notification::AudioLevel,
        notification::Notification,
    );
    out.push_str(TAIL);
    for event in request::Request::EVENTS {
        let _ = writeln!(out, "  {event}: {{ data: RequestData<\"{event}\">; reply: {} }};", reply(event));
    }
    out.push_str("};\n");
    out
}

/// The TypeScript type of a request's reply. `signaling` answers with these variants of `Reply`.
fn reply(event: &str) -> &'static str {
    match event {
        "createWebRtcTransport" => "TransportOptions",
        "getStats" => "TransportStats",
        "restartIce" => "{ iceParameters: IceParameters }",
        "produce" => "{ id: ProducerId }",
        "produceData" => "{ id: DataProducerId }",
        "consumeData" => "{ dataConsumers: Array<ConsumeDataResult> }",
        "consume" => "{ consumers: Array<ConsumeResult> }",
        _ => "Record<string, never>",
    }
}

fn declare<T: TS + 'static>(out: &mut String) {
    out.push('\n');
    if let Some(docs) = T::docs() {
        comment(out, "", &docs);
    }
    out.push_str("export ");
    let mut declaration = String::new();
    layout(&mut declaration, &T::decl(&Config::new()));
    if declaration.lines().count() == 1 && declaration.len() > 120 {
        declaration =
            declaration.replacen(" = ", "\n  = ", 1).replace(" | ", "\n  | ").replacen("\n  = ", " =\n  | ", 1);
    }
    out.push_str(&declaration);
}

/// Writes a declaration with one field to a line.
fn layout(out: &mut String, declaration: &str) {
    // ts-rs has two words for `{}`.
    let declaration = declaration.replace("Record<symbol, never>", "{}");
    let mut rest = declaration.trim();
    let (mut depth, mut angles) = (0, 0);
    let newline = |out: &mut String, depth: usize| {
        out.truncate(out.trim_end().len());
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    };
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("/**") {
            let end = rest.find("*/").map_or(rest.len(), |at| at + 2);
            out.truncate(out.trim_end().len() + 1);
            comment(out, &"  ".repeat(depth), &rest[..end]);
            out.push_str(&"  ".repeat(depth));
            rest = rest[end..].trim_start();
            continue;
        }
        if let Some(literal) = rest.strip_prefix('"') {
            let end = literal.find('"').expect("ts-rs closes its strings");
            let (text, after) = (&literal[..end], &literal[end + 1..]);
            // A field's name needs no quotes, a value does.
            if after.starts_with(':') {
                out.push_str(text);
            } else {
                let _ = write!(out, "\"{text}\"");
            }
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '{' if rest.trim_start().starts_with('}') => {
                out.push_str("Record<string, never>");
                rest = rest.trim_start()[1..].trim_start();
            }
            '{' => {
                depth += 1;
                out.push('{');
                newline(out, depth);
            }
            '}' => {
                depth -= 1;
                out.truncate(out.trim_end().len());
                if !out.ends_with(';') {
                    out.push(';');
                }
                newline(out, depth);
                out.push('}');
            }
            ',' if depth > 0 && angles == 0 => {
                out.push(';');
                newline(out, depth);
            }
            c if c.is_whitespace() => {
                if !out.ends_with(char::is_whitespace) {
                    out.push(' ');
                }
            }
            c => {
                angles += i32::from(c == '<') - i32::from(c == '>');
                out.push(c);
            }
        }
    }
    out.push('\n');
}

/// Writes a doc comment, on one line where it has only one.
fn comment(out: &mut String, indent: &str, docs: &str) {
    let lines: Vec<String> = docs
        .lines()
        .map(|line| line.trim().trim_start_matches("/**").trim_start_matches("*/").trim_start_matches('*').trim())
        .filter(|line| !line.is_empty())
        // Links of rustdoc are code to others.
        .map(|line| line.replace("[`", "`").replace("`]", "`").replace("::", "."))
        .collect();
    if !out.ends_with('\n') {
        out.push('\n');
    }
    if let [line] = &lines[..] {
        let _ = writeln!(out, "{indent}/** {line} */");
        return;
    }
    let _ = writeln!(out, "{indent}/**");
    for line in lines {
        let _ = writeln!(out, "{indent} * {line}");
    }
    let _ = writeln!(out, "{indent} */");
}
