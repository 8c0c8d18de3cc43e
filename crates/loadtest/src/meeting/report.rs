//! What a meeting is reported with.

use std::time::Duration;

use serde::Serialize;

use crate::drive::Totals;

/// One line about everybody.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    event: &'static str,
    seconds: f64,
    streams: usize,
    sent: u64,
    received: u64,
    lost: u64,
    faults: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

impl Report {
    pub(super) fn new(event: &'static str, totals: &Totals, passed: Duration) -> Self {
        Self {
            event,
            seconds: passed.as_secs_f64(),
            streams: totals.streams,
            sent: totals.sent,
            received: totals.packets,
            lost: totals.lost,
            faults: totals.faults,
            fault: totals.fault.map(|fault| fault.to_string()),
        }
    }

    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            println!("{}", serde_json::to_string(self)?);
        } else {
            println!("{self:?}");
        }
        Ok(())
    }
}
