//! Which cores a thread runs on, and how busy they are.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Some cores, by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cores(Vec<usize>);

impl Cores {
    /// Those that this thread may use.
    pub(crate) fn allowed() -> anyhow::Result<Self> {
        let set = sched_getaffinity(Pid::from_raw(0)).context("the cores that may be used")?;
        Ok(Self((0..CpuSet::count()).filter(|&core| set.is_set(core).unwrap_or(false)).collect()))
    }

    /// The first for the server, the others for everybody else. A single core is for both.
    pub(crate) fn split(&self) -> (Self, Self) {
        let others = if self.0.len() > 1 { &self.0[1..] } else { &self.0[..] };
        (Self(self.0.iter().take(1).copied().collect()), Self(others.to_vec()))
    }

    /// This thread, and the threads and processes that it starts, run on these.
    pub(crate) fn take(&self) -> anyhow::Result<()> {
        let mut set = CpuSet::new();
        self.0.iter().try_for_each(|&core| set.set(core))?;
        sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("running on {:?}", self.0))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// How long they have been busy so far, all together, with whatever it was; in steps of 10 ms.
    pub(crate) fn busy(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string("/proc/stat")?;
        let of = |core: &usize| parse(&stat, *core);
        self.0.iter().map(of).sum::<Option<Duration>>().context("/proc/stat names no such core")
    }
}

/// user, nice, system, irq, softirq, steal of a core's line in `/proc/stat` (proc_stat(5)), in ticks of 10 ms.
fn parse(stat: &str, core: usize) -> Option<Duration> {
    let name = format!("cpu{core} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&name))?;
    let ticks: Vec<u64> = line.split_ascii_whitespace().map_while(|word| word.parse().ok()).collect();
    let busy = [0, 1, 2, 5, 6, 7].iter().map(|&column| ticks.get(column)).sum::<Option<u64>>()?;
    Some(Duration::from_millis(10 * busy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_is_busy_with_all_but_idling_and_waiting() {
        let stat = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 3 100 50 4 5 6 1 0\ncpu1 1 0 0 7 0 0 0 0 0 0\nintr 5\n";
        assert_eq!(parse(stat, 0), Some(Duration::from_millis(210)));
        assert_eq!(parse(stat, 1), Some(Duration::from_millis(10)));
        assert_eq!(parse(stat, 2), None);
    }

    #[test]
    fn the_server_has_a_core_of_its_own_where_there_are_two() {
        assert_eq!(Cores(vec![2, 3, 5]).split(), (Cores(vec![2]), Cores(vec![3, 5])));
        assert_eq!(Cores(vec![1]).split(), (Cores(vec![1]), Cores(vec![1])));
    }
}
