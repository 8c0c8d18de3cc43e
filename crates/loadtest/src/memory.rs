//! Resident memory, as the kernel counts it.

use anyhow::Context as _;

/// What a process has resident, in KiB.
pub(crate) fn of_process_kib(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).context("the process is gone")?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
    kib.context("/proc/…/status has no VmRSS")
}
