//! The packet path allocates nothing: counted over a minute of one publisher in three sizes and twenty receivers, who
//! lose packets, change their layers, and of whom one has a path that is too narrow.

#![allow(unsafe_code, reason = "a global allocator can only be written so")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use loadtest::client::{AudioConfig, VideoConfig};
use sfu::ice::{PacketKind, classify};
use sfu::{SendBatch, Worker};
use sim::call::Call;
use sim::network::Link;
use sim::two_workers::{Between, HERE, LANE, TwoWorkers};

const RECEIVERS: usize = 20;
/// Until rings, queues and maps have the size that they keep.
const WARM_UP: Duration = Duration::from_secs(5);
const MEASURED: Duration = Duration::from_secs(60);
/// Between two changes of the layer that a receiver wants.
const SWITCH: Duration = Duration::from_millis(1500);

thread_local! {
    static COUNTING: Cell<bool> = const { Cell::new(false) };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // Not while the thread ends, when its locals are gone.
    if COUNTING.try_with(Cell::get).unwrap_or(false) {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
    }
}

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, bytes) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn counted<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = ALLOCATIONS.get();
    COUNTING.set(true);
    let result = work();
    COUNTING.set(false);
    (result, ALLOCATIONS.get() - before)
}

/// What was allocated in which call.
#[derive(Debug, Default, PartialEq, Eq)]
struct Allocations {
    rtp_in: u64,
    transmit: u64,
    packets: u64,
}

#[test]
fn forwarding_allocates_nothing() {
    assert_ne!(counted(|| std::hint::black_box(vec![0u8])).1, 0, "it counts");
    // Losses and late packets too.
    let link = Link { loss: 0.02, reorder: 0.02, ..Link::clean(Duration::from_millis(5)) };
    let mut call = Call::new(1);
    for _ in 0..RECEIVERS {
        call.join(link, link);
    }
    call.join(link, Link { bits_per_second: Some(400_000), queue: Duration::from_millis(200), ..link });
    call.publish_audio(0, AudioConfig::default());
    let sizes =
        [1, 3, 6].map(|packets| VideoConfig { packets, keyframe_packets: 5 * packets, ..VideoConfig::default() });
    call.publish_simulcast(0, &sizes);
    call.connect();
    call.watch_all();
    call.run(WARM_UP);

    let allocations = Rc::new(std::cell::RefCell::new(Allocations::default()));
    let (on_datagram, on_transmit) = (allocations.clone(), allocations.clone());
    call.handle_datagram = Box::new(move |worker: &mut Worker, now: Instant, from: SocketAddr, bytes: &mut [u8]| {
        let is_rtp = bytes.len() > 1 && (128..192).contains(&bytes[0]) && !(192..224).contains(&bytes[1]);
        let ((), count) = counted(|| worker.handle_datagram(now, 0, from, bytes));
        on_datagram.borrow_mut().rtp_in += if is_rtp { count } else { 0 };
    });
    call.poll_transmit = Box::new(move |worker: &mut Worker, now: Instant, batch: &mut SendBatch| {
        let ((), count) = counted(|| worker.poll_transmit(now, batch));
        let mut allocations = on_transmit.borrow_mut();
        allocations.transmit += count;
        allocations.packets += batch.messages().iter().map(|message| message.segments() as u64).sum::<u64>();
    });
    let viewers: Vec<_> = call.people.iter().skip(1).map(|(_, person)| person.consumptions[1].consumer).collect();
    for turn in 0..(MEASURED.as_millis() / SWITCH.as_millis()) as usize {
        let (layer, viewer) = ((turn % 3) as u8, viewers[turn % RECEIVERS]);
        let now = call.now();
        call.worker.set_preferred_layer(now, viewer, layer).expect("it is there");
        call.run(SWITCH);
    }
    let allocations = allocations.take();
    assert!(allocations.packets > 20 * 60 * (50 + 60), "{allocations:?}");
    assert_eq!(allocations, Allocations { packets: allocations.packets, ..Allocations::default() });
}

#[test]
fn a_lane_allocates_nothing() {
    // Now and then it is full.
    let (mut two, _) = TwoWorkers::stage(Between::Lane { packets_max: 3 }, RECEIVERS);
    two.run(WARM_UP);
    let (taken, sent) = (Rc::new(Cell::new((0, 0))), Rc::new(Cell::new((0, 0))));
    let (on_lane, on_transmit) = (taken.clone(), sent.clone());
    two.handle_lane = Box::new(move |worker: &mut Worker, now: Instant, packet: &mut [u8]| {
        let is_rtp = classify(packet) == Some(PacketKind::Rtp);
        let ((), count) = counted(|| worker.handle_lane(now, LANE, packet));
        let (packets, allocations) = on_lane.get();
        if is_rtp {
            on_lane.set((packets + 1, allocations + count));
        }
    });
    two.calls[HERE].poll_transmit = Box::new(move |worker: &mut Worker, now: Instant, batch: &mut SendBatch| {
        let ((), count) = counted(|| worker.poll_transmit(now, batch));
        let (packets, allocations) = on_transmit.get();
        on_transmit.set((packets + batch.messages().len(), allocations + count));
    });
    let refused = two.refused;
    two.run(MEASURED);
    assert!(taken.get().0 > 60 * (50 + 40) && sent.get().0 > 60 * 50, "{taken:?} {sent:?}");
    assert!(two.refused > refused, "and repairs too");
    assert_eq!((taken.get().1, sent.get().1), (0, 0));
}
