//! `docs/signaling.md` names everything that is on the wire.

use protocol::error::ErrorCode;
use protocol::request::{
    ConsumerOptions, DataConsumerOptions, JoinPlace, JoinPlaceReply, ResumePlace, ResumePlaceReply, Waiting, Welcome,
};
use protocol::sctp::{SctpParameters, SctpStreamParameters};
use protocol::transport::TransportOptions;
use protocol::{Notification, Request};
use ts_rs::{Config, TS};

const DOCUMENT: &str = include_str!("../../../docs/signaling.md");

#[test]
fn every_request_notification_and_error_code_has_its_row() {
    let events = texts(&Notification::decl(&Config::new()), "\"event\": \"");
    let codes = texts(&ErrorCode::decl(&Config::new()), " \"");
    assert!(events.len() > 5 && codes.len() > 10, "the names were found");
    for name in Request::EVENTS.into_iter().map(str::to_owned).chain(events).chain(codes) {
        assert!(DOCUMENT.contains(&format!("\n| `{name}` | ")), "docs/signaling.md has no row for `{name}`");
    }
}

#[test]
fn every_field_of_the_way_in_is_named() {
    for fields in [
        fields::<JoinPlace>(),
        fields::<JoinPlaceReply>(),
        fields::<ResumePlace>(),
        fields::<ResumePlaceReply>(),
        fields::<Welcome>(),
        fields::<Waiting>(),
        fields::<TransportOptions>(),
        fields::<ConsumerOptions>(),
        fields::<DataConsumerOptions>(),
        fields::<SctpParameters>(),
        fields::<SctpStreamParameters>(),
    ] {
        assert!(!fields.is_empty());
        for name in fields {
            assert!(DOCUMENT.contains(&name), "docs/signaling.md does not name {name}");
        }
    }
}

/// The quoted texts that follow `before` in a TypeScript declaration.
fn texts(declaration: &str, before: &str) -> Vec<String> {
    declaration.split(before).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

/// The names of a type's fields: in the declaration each begins a line.
fn fields<T: TS>() -> Vec<String> {
    let declaration = T::decl(&Config::new());
    let names = declaration.lines().filter_map(|line| line.split_once(": "));
    names
        .map(|(name, _)| name.trim_end_matches('?'))
        .filter(|name| name.bytes().all(|b| b.is_ascii_alphabetic()))
        .map(str::to_owned)
        .collect()
}
