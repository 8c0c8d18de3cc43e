//! What a receiver and a published layer take, by what a worker gives back when it is dropped.

#![allow(unsafe_code, reason = "a global allocator can only be written so")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use loadtest::client::VideoConfig;
use sim::call::Call;
use sim::network::Link;

/// The goal of the design, in bytes: one transport and one consumer, without data channels.
const RECEIVER_MAX: i64 = 48 * 1024;
/// Of a layer's packets.
const RING: i64 = 512 * 1024;

thread_local! {
    /// Bytes allocated less bytes freed.
    static HELD: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

fn count(bytes: i64) {
    // Not while the thread ends, when its locals are gone.
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a worker holds with so many people in its room, of whom the first sends so many layers, which so many others
/// receive. Everybody has two transports.
fn worker_bytes(people: usize, layers: usize, receivers: usize) -> i64 {
    let link = Link { loss: 0.02, ..Link::clean(Duration::from_millis(5)) };
    let mut call = Call::new(1);
    for _ in 0..people {
        call.join(link, link);
    }
    let camera = call.publish_simulcast(0, &vec![VideoConfig::default(); layers]);
    call.connect();
    for person in 1..=receivers {
        call.watch(person, camera);
    }
    call.run(Duration::from_secs(10));
    let Call { worker, .. } = call;
    let held = HELD.get();
    drop(worker);
    held - HELD.get()
}

#[test]
fn a_receiver_takes_less_than_48_kib_and_a_layer_little_more_than_its_ring() {
    // Tables double when they are full, so full ones are compared.
    let (few, more, all) = (worker_bytes(16, 1, 15), worker_bytes(32, 1, 15), worker_bytes(32, 1, 31));
    let (transport, consumer) = ((more - few) / 32, (all - more) / 16);
    let layer = (worker_bytes(16, 3, 15) - few) / 2;
    println!("{transport} B per transport, {consumer} B per consumer, {layer} B per layer");
    assert!((1..RECEIVER_MAX).contains(&(transport + consumer)), "{transport} + {consumer} bytes");
    assert!((RING..RING + 128 * 1024).contains(&layer), "{layer} bytes");
}
