//! The one gate through which every keyframe request for a stream passes.
//!
//! Requests of many viewers are merged: at most one in [`INTERVAL`], or in [`DEFERRED`] while keyframes already
//! make up more than [`SHARE_MAX`] of the stream's bytes. A request that has to wait is kept, and one that brought no
//! keyframe is repeated (jvb#2442: unthrottled requests tripled the quantiser for an hour).

use std::time::{Duration, Instant};

/// Least time between two requests.
const INTERVAL: Duration = Duration::from_millis(500);
/// Least time after which a request that brought nothing is repeated.
const REPEAT_MIN: Duration = Duration::from_millis(300);
/// How often the time to the next request doubles at most: to 4 s.
const BACKOFF_MAX: u32 = 3;
/// Largest share of keyframe bytes in the last [`SHARE_WINDOW`], in percent.
const SHARE_MAX: u64 = 15;
/// Over which the share is measured, by halving the counts each time it has passed.
const SHARE_WINDOW: Duration = Duration::from_secs(5);
/// Least time between two requests while the share is exceeded, so that a viewer never waits longer than this: whoever
/// lost the network and has it again is to see everything soon, and to notice the loss takes time too.
const DEFERRED: Duration = Duration::from_secs(1);

/// Merges and spaces the keyframe requests for one stream.
#[derive(Debug)]
pub(crate) struct KeyframeGate {
    wanted_since: Option<Instant>,
    asked: Option<Instant>,
    /// How often it was asked since the last packet.
    in_vain: u32,
    bytes: u64,
    keyframe_bytes: u64,
    window_started: Instant,
    /// A whole window has passed. A stream begins with a keyframe, so before that the share says nothing.
    measured: bool,
}

impl KeyframeGate {
    /// A gate that nobody has asked yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            wanted_since: None,
            asked: None,
            in_vain: 0,
            bytes: 0,
            keyframe_bytes: 0,
            window_started: now,
            measured: false,
        }
    }

    /// Somebody needs a keyframe.
    pub(crate) fn request(&mut self, now: Instant) {
        self.wanted_since.get_or_insert(now);
    }

    /// A packet of the stream came in; `in_keyframe` where it belongs to one.
    pub(crate) fn on_packet(&mut self, now: Instant, bytes: usize, in_keyframe: bool) {
        self.in_vain = 0;
        if now.saturating_duration_since(self.window_started) >= SHARE_WINDOW {
            self.window_started = now;
            self.measured = true;
            self.bytes /= 2;
            self.keyframe_bytes /= 2;
        }
        self.bytes += bytes as u64;
        if in_keyframe {
            self.keyframe_bytes += bytes as u64;
        }
    }

    /// A keyframe began: whoever waited for one has it.
    pub(crate) fn on_keyframe(&mut self) {
        self.wanted_since = None;
    }

    /// Nobody needs one any more.
    pub(crate) fn cancel(&mut self) {
        self.wanted_since = None;
    }

    /// Whether to send a request now; to be called again at [`KeyframeGate::poll_timeout`].
    pub(crate) fn poll(&mut self, now: Instant, rtt: Duration) -> bool {
        let due = self.poll_timeout(rtt).is_some_and(|at| at <= now);
        if due {
            self.asked = Some(now);
            self.in_vain += 1;
        }
        due
    }

    /// When the waiting request may go out; `None` when nobody waits.
    pub(crate) fn poll_timeout(&self, rtt: Duration) -> Option<Instant> {
        let wanted = self.wanted_since?;
        let too_many = self.measured && self.keyframe_bytes * 100 > self.bytes * SHARE_MAX;
        Some(match self.asked {
            // Asked for this very wish already: repeat it. Asked for an earlier one: keep the distance.
            // A publisher from whom nothing comes is asked less and less often.
            Some(asked) if asked >= wanted => {
                asked + INTERVAL.max(REPEAT_MIN.max(rtt * 2)) * (1 << self.in_vain.saturating_sub(2).min(BACKOFF_MAX))
            }
            Some(asked) if too_many => asked + DEFERRED,
            Some(asked) => asked + INTERVAL,
            None => wanted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn many_viewers_make_one_request() {
        let start = Instant::now();
        let mut gate = KeyframeGate::new(start);
        for _ in 0..300 {
            gate.request(start);
        }
        assert!(gate.poll(start, RTT));
        assert!(!gate.poll(start + ms(1), RTT));
    }

    #[test]
    fn a_request_that_brought_nothing_is_repeated() {
        let start = Instant::now();
        let mut gate = KeyframeGate::new(start);
        gate.request(start);
        assert!(gate.poll(start, RTT));
        assert_eq!(gate.poll_timeout(RTT), Some(start + ms(500)));
        assert!(gate.poll(start + ms(500), RTT));
        gate.on_keyframe();
        assert_eq!(gate.poll_timeout(RTT), None);
    }

    #[test]
    fn a_silent_publisher_is_asked_less_and_less_often() {
        let start = Instant::now();
        let mut gate = KeyframeGate::new(start);
        gate.request(start);
        let mut asked = Vec::new();
        for at in (0..16_000).step_by(100) {
            if gate.poll(start + ms(at), RTT) {
                asked.push(at);
            }
        }
        assert_eq!(asked, [0, 500, 1000, 2000, 4000, 8000, 12_000]);
        gate.on_packet(start + ms(12_600), 1000, false);
        assert!(gate.poll(start + ms(12_600), RTT), "at once when it is there again");
    }

    #[test]
    fn a_request_soon_after_a_keyframe_is_kept_and_sent_later() {
        let start = Instant::now();
        let mut gate = KeyframeGate::new(start);
        gate.request(start);
        assert!(gate.poll(start, RTT));
        gate.on_keyframe();
        gate.request(start + ms(100));
        assert!(!gate.poll(start + ms(100), RTT));
        assert_eq!(gate.poll_timeout(RTT), Some(start + ms(500)));
        assert!(gate.poll(start + ms(500), RTT));
    }

    #[test]
    fn a_stream_that_is_mostly_keyframes_is_asked_less_often() {
        let began = Instant::now();
        let start = began + SHARE_WINDOW;
        let mut gate = KeyframeGate::new(began);
        gate.on_packet(start, 50_000, true);
        gate.on_packet(start, 50_000, false);
        gate.request(start);
        assert!(gate.poll(start, RTT));
        gate.on_keyframe();
        gate.request(start + ms(600));
        assert!(!gate.poll(start + ms(600), RTT));
        assert!(gate.poll(start + ms(1000), RTT), "but a viewer is not left waiting");
    }

    #[test]
    fn a_stream_that_has_only_begun_is_asked_again_at_once() {
        let start = Instant::now();
        let mut gate = KeyframeGate::new(start);
        gate.request(start);
        assert!(gate.poll(start, RTT));
        gate.on_packet(start + ms(20), 50_000, true);
        gate.on_keyframe();
        gate.request(start + ms(300));
        assert!(gate.poll(start + ms(500), RTT), "the first keyframe is most of what there is");
    }

    #[test]
    fn who_comes_long_after_the_last_request_is_served_at_once() {
        let start = Instant::now();
        let mut gate = KeyframeGate::new(start);
        gate.request(start);
        assert!(gate.poll(start, RTT));
        gate.on_packet(start, 50_000, true);
        gate.on_keyframe();
        gate.request(start + ms(3000));
        assert!(gate.poll(start + ms(3000), RTT), "whatever the share");
        gate.cancel();
        assert_eq!(gate.poll_timeout(RTT), None);
    }
}
