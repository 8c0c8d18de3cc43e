//! What a peer with keys can make its association hold (the class of usrsctp's overflows and sctp-proto before 0.10.6):
//! counted in bytes of the heap, while it sends what never becomes a message, nobody reads, or goes on without end.
//!
//! The inputs are those of the fuzz target `channels`, so that a sequence that is found can be added here.

#![allow(unsafe_code, reason = "a global allocator can only be written so")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Beside what the scene itself needs: two messages of the largest size, and the library's own for each chunk.
const HELD_MAX: isize = 3 << 19;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Measuring;

fn add(bytes: isize) {
    // Not while the thread ends, when its locals are gone.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Measuring {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size().cast_signed());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(-layout.size().cast_signed());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Measuring = Measuring;

/// The most bytes that were held beyond those before.
fn peak(input: &[u8]) -> isize {
    let before = LIVE.get();
    PEAK.set(before);
    sim::fuzz::channels(input);
    PEAK.get() - before
}

// Flags of a chunk (RFC 9260 section 3.3.1), and that each of the forty is on a stream of its own.
const END: u8 = 1;
const BEGIN: u8 = 2;
const UNORDERED: u8 = 4;
const EACH_ITS_STREAM: u8 = 0x40;

/// Forty chunks of the largest size that an input gives: flags, how far ahead of the next number, stream, sequence number.
fn chunks(flags: u8, ahead: u8, stream: u8, sequence: u8) -> Vec<u8> {
    [&[0, 0x80 | flags, ahead, stream, sequence, 1, 255][..], &[7; 255]].concat()
}

/// What it is called, and its steps.
type Attack = (&'static str, fn(u8) -> Vec<u8>);

#[test]
fn whatever_a_peer_sends_its_association_holds_a_bounded_amount() {
    // Certificates and tables that are made once.
    peak(&[]);
    let idle = peak(&[]);
    let attacks: [Attack; 6] = [
        ("messages without an end", |_| chunks(BEGIN, 0, 0, 0)),
        ("beginnings on every stream", |n| chunks(BEGIN | EACH_ITS_STREAM, 0, n, 0)),
        ("behind a missing chunk", |n| chunks(BEGIN | END, n.max(1) & 0x7f, 0, n)),
        ("messages out of order", |n| chunks(BEGIN | END, 0, 0, n.max(1))),
        ("messages that nobody reads", |n| chunks(BEGIN | END | EACH_ITS_STREAM, 0, n, 0)),
        ("middles of unordered messages", |n| chunks(UNORDERED, 0, n, n)),
    ];
    for (name, attack) in attacks {
        let input: Vec<u8> = (0..=255).flat_map(attack).collect();
        let held = peak(&input) - idle;
        assert!(held < HELD_MAX, "{name}: {held} B more than {idle} B");
    }
}
