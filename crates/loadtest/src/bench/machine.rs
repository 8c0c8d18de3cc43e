//! The machine that the figures are of.

use std::fs;

use serde_json::{Value, json};

use crate::cores::Cores;

pub(super) fn describe(server: &Cores, generator: &Cores) -> anyhow::Result<Value> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let load = fs::read_to_string("/proc/loadavg")?;
    Ok(json!({
        "cpu": model.trim_start_matches([' ', '\t', ':']),
        "cores": std::thread::available_parallelism()?.get().max(server.count() + generator.count()),
        "virtual": cpu.lines().any(|line| line.starts_with("flags") && line.contains(" hypervisor")),
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        "load_average_at_the_end": load.split(' ').take(3).collect::<Vec<_>>().join(" "),
        "hyperion": env!("CARGO_PKG_VERSION"),
    }))
}
