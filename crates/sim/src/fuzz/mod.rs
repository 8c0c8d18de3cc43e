//! What is fuzzed: one function per target, which panics when something is wrong.
//!
//! `script/fuzz` gives them new inputs through libFuzzer (`fuzz/`), `tests/fuzz_corpora.rs` the committed ones.

mod bandwidth;
mod channels;
mod json;
mod socketio;
mod wire;
mod worker;

pub use bandwidth::bandwidth;
pub use channels::channels;
pub use json::{hello, ortc, request};
pub use socketio::socketio;
pub use wire::{dependency_descriptor, framing, payload, rtcp, rtp, stun};
pub use worker::{datagrams, peer};

/// A target: its name, which is that of its corpus, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 14] = [
    ("stun", stun),
    ("framing", framing),
    ("rtp", rtp),
    ("rtcp", rtcp),
    ("payload", payload),
    ("dependency_descriptor", dependency_descriptor),
    ("bandwidth", bandwidth),
    ("ortc", ortc),
    ("request", request),
    ("hello", hello),
    ("socketio", socketio),
    ("datagrams", datagrams),
    ("peer", peer),
    ("channels", channels),
];

/// What is left of an input that is read as a list of steps.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// A byte that says how many follow, and those, or as many as there are.
    fn block(&mut self) -> Option<&'a [u8]> {
        let bytes = usize::from(self.byte()?).min(self.0.len());
        let (block, rest) = self.0.split_at(bytes);
        self.0 = rest;
        Some(block)
    }
}
