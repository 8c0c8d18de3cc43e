//! CPU time, as the scheduler counts it, in nanoseconds.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// What all threads of a process have used so far.
pub(crate) fn of_process(process: u32) -> anyhow::Result<Duration> {
    let mut sum = Duration::ZERO;
    let threads = fs::read_dir(format!("/proc/{process}/task")).context("the process is gone")?;
    for thread in threads {
        // A thread that ended meanwhile is left out.
        if let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) {
            sum += parse(&text).context("/proc/…/schedstat")?;
        }
    }
    Ok(sum)
}

/// What this thread has used so far.
pub(crate) fn of_this_thread() -> anyhow::Result<Duration> {
    parse(&fs::read_to_string("/proc/thread-self/schedstat")?).context("/proc/thread-self/schedstat")
}

fn parse(schedstat: &str) -> Option<Duration> {
    schedstat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
