//! `/metrics`: what the server counted, as Prometheus' text.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::{ErrorBody, ErrorCode};
use sfu::WorkerStats;
use sfu::worker::{ESTIMATE_KBPS, ROUND_TRIP_MS, Survey};
use sfu_io::{WorkerHandle, WorkerMetrics};

use super::Shared;
use crate::exposition::{Exposition, Kind};
use crate::phase::Phase;

/// A worker that answers later than this is left out.
const STATS_TIMEOUT: Duration = Duration::from_millis(500);

/// How often something succeeded, and how often it was refused for what.
#[derive(Default)]
pub(super) struct Results {
    ok: AtomicU64,
    refused: Mutex<BTreeMap<String, u64>>,
}

impl Results {
    /// Counts a result and passes it on.
    pub(super) fn count<T>(&self, result: Result<T, ErrorBody>) -> Result<T, ErrorBody> {
        match &result {
            Ok(_) => _ = self.ok.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                *refused.entry(label(error.code)).or_default() += 1;
            }
        }
        result
    }

    fn write(&self, text: &mut Exposition, name: &str, help: &str) {
        text.family(name, Kind::Counter, help);
        text.sample(&[("result", "ok")], self.ok.load(Ordering::Relaxed));
        for (code, count) in &*self.refused.lock().unwrap_or_else(PoisonError::into_inner) {
            text.sample(&[("result", code)], *count);
        }
    }
}

/// The code's name on the wire.
fn label(code: ErrorCode) -> String {
    serde_json::to_value(code).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Shared {
    /// Everything, at this moment.
    pub(super) async fn metrics_text(&self) -> String {
        let mut text = Exposition::default();
        self.joins.write(&mut text, "hyperion_joins_total", "Connects that asked to join, by result.");
        let help = "From CONNECT until the welcome is ready, of joins that succeeded.";
        text.histogram("hyperion_join_duration_seconds", help, &self.join_durations);
        self.resumes.write(&mut text, "hyperion_resumes_total", "Connects that asked to resume, by result.");
        self.requests.write(&mut text, "hyperion_requests_total", "Requests carried out, by result.");
        self.write_rooms(&mut text);
        for metric in self.signaling.snapshot().values {
            let kind = if metric.name.ends_with("_total") { Kind::Counter } else { Kind::Gauge };
            text.family(&format!("hyperion_{}", metric.name), kind, metric.help);
            text.sample(&[], metric.value);
        }
        write_drivers(&mut text, &self.pool.metrics());
        write_workers(&mut text, &self.worker_stats().await);
        write_surveys(&mut text, &self.surveys().await);
        text.finish()
    }

    fn write_rooms(&self, text: &mut Exposition) {
        let (here, rooms) = (self.registry().counts(), self.rooms.counts());
        let gauges = [
            ("hyperion_draining", u64::from(self.phase.now() == Phase::Draining), "1 while the server goes down."),
            (
                "hyperion_cut_off",
                u64::from(self.is_cut_off()),
                "1 while other nodes reach the log and this one does not.",
            ),
            ("hyperion_rooms", rooms.rooms as u64, "Rooms known to this node."),
            ("hyperion_participants", rooms.participants as u64, "People in them, the held ones included."),
            ("hyperion_own_participants", rooms.own_participants as u64, "Of those, the people of this node."),
            (
                "hyperion_registry_reachable",
                u64::from(self.rooms.registry_reachable()),
                "1 while the registry of nodes answers.",
            ),
            ("hyperion_nodes_ready", rooms.nodes_ready as u64, "Nodes that people may be sent to, this one included."),
            ("hyperion_room_proposals_pending", rooms.pending as u64, "Room events on their way through the log."),
            ("hyperion_local_rooms", here.rooms as u64, "Rooms with people of this node, or on their way."),
            ("hyperion_sessions", here.members as u64, "Sessions of this node."),
            ("hyperion_sessions_held", here.members_without_socket as u64, "Of those, without a socket."),
            (
                "hyperion_sessions_moved",
                here.moved as u64,
                "Sessions that went on at another node and still have transports here.",
            ),
            ("hyperion_session_sockets", here.sockets as u64, "Sockets that speak for a session."),
            ("hyperion_session_transports", here.transports as u64, "Transports of sessions."),
            ("hyperion_session_producers", here.producers as u64, "Sources that sessions publish."),
            ("hyperion_session_consumers", here.consumers as u64, "Consumers of sessions."),
            ("hyperion_session_data_producers", here.data_producers as u64, "Channels that sessions send on."),
            ("hyperion_session_data_consumers", here.data_consumers as u64, "Data consumers of sessions."),
        ];
        for (name, value, help) in gauges {
            text.family(name, Kind::Gauge, help);
            text.sample(&[], value);
        }
        text.family("hyperion_room_records_set_aside_total", Kind::Counter, "Log records that could not be read.");
        text.sample(&[], rooms.set_aside);
        text.family("hyperion_room_hosts_lost_total", Kind::Counter, "Hosts of rooms that were declared lost.");
        text.sample(&[], rooms.hosts_lost);
        text.family("hyperion_rooms_diverged_total", Kind::Counter, "Rooms that were not as another node had them.");
        text.sample(&[], rooms.diverged);
        text.family(
            "hyperion_log_cuts_total",
            Kind::Counter,
            "Partitions of the log that lost records that had been read.",
        );
        text.sample(&[], rooms.cuts);
        text.family(
            "hyperion_rooms_refounded_total",
            Kind::Counter,
            "Rooms founded again from a node's memory after that.",
        );
        text.sample(&[], rooms.refounded);
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        text.family("hyperion_signals_refused_total", Kind::Counter, "Signals of people who sent too many.");
        text.sample(&[], read(&self.signals.refused));
        text.family("hyperion_signals_dropped_total", Kind::Counter, "Signals that did not go to another node.");
        text.sample(&[], read(&self.signals.dropped));
        self.write_log(text);
        self.write_relays(text);
    }

    /// The ways between workers, and to other nodes if there are any.
    fn write_relays(&self, text: &mut Exposition) {
        let relays = self.relays.counts();
        let rows = [
            ("local_pipes", Kind::Gauge, relays.local_pipes as u64, "Pipes between media workers of this node."),
            (
                "fed_locally",
                Kind::Gauge,
                relays.fed_locally as u64,
                "Producers that go from one media worker of this node to another.",
            ),
        ];
        write_figures(text, "hyperion_relay", &rows);
        let Some(links) = &self.links else { return };
        let links = links.stats();
        let rows = [
            ("pipes", Kind::Gauge, relays.pipes as u64, "Pipes between media workers of this node and others."),
            (
                "subscriptions",
                Kind::Gauge,
                relays.subscriptions as u64,
                "Producers of other nodes that media workers here get.",
            ),
            ("fed", Kind::Gauge, relays.fed as u64, "Producers of this node that media workers of others get."),
            ("refused_total", Kind::Counter, relays.refused, "Subscriptions of other nodes beyond what one may have."),
            ("link_dials_failed_total", Kind::Counter, links.dials_failed, "Attempts to reach a node without success."),
            ("link_refused_total", Kind::Counter, links.refused, "Connections of or to others that were refused."),
            ("link_frames_sent_total", Kind::Counter, links.frames_sent, "Messages to other nodes."),
            ("link_frames_received_total", Kind::Counter, links.frames_received, "Messages of other nodes."),
            ("link_overruns_total", Kind::Counter, links.overruns, "Links that ended because too much waited."),
            ("link_oversize_total", Kind::Counter, links.oversize, "Links that ended by a message that was too large."),
        ];
        write_figures(text, "hyperion_relay", &rows);
        text.family("hyperion_relay_link_round_trip_seconds", Kind::Gauge, "Links that are up, and their round trips.");
        for (node, round_trip) in links.up {
            text.sample(&[("node", node.as_str())], round_trip.as_secs_f64());
        }
    }

    fn write_log(&self, text: &mut Exposition) {
        let log = self.rooms.log_status();
        let rows = [
            ("reachable", Kind::Gauge, u64::from(log.reachable), "1 while the rooms' log answers."),
            ("queued", Kind::Gauge, log.queued as u64, "Records that wait for it."),
            ("appended_total", Kind::Counter, log.appended, "Records handed over to it."),
            ("refused_total", Kind::Counter, log.refused, "Records not taken: queue full, too large."),
            ("given_up_total", Kind::Counter, log.given_up, "Records that waited in vain."),
            ("read_total", Kind::Counter, log.read, "Records read."),
            ("nameless_total", Kind::Counter, log.nameless, "Records without the name of a room; left out."),
            ("errors_total", Kind::Counter, log.errors, "Errors of the way to it that passed by themselves."),
        ];
        write_figures(text, "hyperion_log", &rows);
    }

    /// What the workers hold and counted; none of a worker that died or has too much to do.
    async fn worker_stats(&self) -> Vec<(String, WorkerStats)> {
        let calls: Vec<_> =
            self.pool.workers().into_iter().map(|worker| (worker.index(), worker.call(|w, _| w.stats()))).collect();
        let mut stats = Vec::with_capacity(calls.len());
        for (index, call) in calls {
            if let Ok(Ok(worker)) = tokio::time::timeout(STATS_TIMEOUT, call).await {
                stats.push((index.to_string(), worker));
            }
        }
        stats
    }

    async fn surveys(&self) -> Vec<(String, Survey)> {
        let mut surveys = Vec::new();
        for worker in self.pool.workers() {
            if let Some(survey) = survey(&worker).await {
                surveys.push((worker.index().to_string(), survey));
            }
        }
        surveys
    }
}

/// How all that a worker carries is doing, asked for in parts so that no packet waits for it.
/// Families of one figure each: what they are called after `prefix`, and what they say.
fn write_figures(text: &mut Exposition, prefix: &str, rows: &[(&str, Kind, u64, &str)]) {
    for &(name, kind, value, help) in rows {
        text.family(&format!("{prefix}_{name}"), kind, help);
        text.sample(&[], value);
    }
}

async fn survey(worker: &WorkerHandle) -> Option<Survey> {
    let mut survey = Survey::default();
    let mut place = Some(0);
    while let Some(from) = place {
        let call = worker.call(move |worker, now| {
            let next = worker.survey(now, from, &mut survey);
            (survey, next)
        });
        (survey, place) = tokio::time::timeout(STATS_TIMEOUT, call).await.ok()?.ok()?;
    }
    Some(survey)
}

fn write_surveys(text: &mut Exposition, surveys: &[(String, Survey)]) {
    type Scores = fn(&Survey) -> &[[usize; 11]; 2];
    const SCORES: [(&str, &str, Scores); 2] = [
        ("hyperion_worker_streams_by_score", "Incoming streams by how well they arrive, 0 to 10.", |s| &s.streams),
        ("hyperion_worker_consumers_by_score", "Consumers by how well they arrive, 0 to 10.", |s| &s.consumers),
    ];
    for (name, help, scores) in SCORES {
        text.family(name, Kind::Gauge, help);
        for (worker, survey) in surveys {
            for (kind, scores) in ["audio", "video"].into_iter().zip(scores(survey)) {
                for (score, count) in scores.iter().enumerate() {
                    text.sample(&[("worker", worker), ("kind", kind), ("score", &score.to_string())], count);
                }
            }
        }
    }
    type Counts = fn(&Survey) -> &[usize];
    let paths: [(&str, &str, &str, &[u64], Counts); 2] = [
        ("round_trip", "Transports by their round trip, from so many ms on.", "ms", &ROUND_TRIP_MS, |s| &s.round_trips),
        ("estimate", "Transports by what their path carries, from so many kbit/s on.", "kbps", &ESTIMATE_KBPS, |s| {
            &s.estimates
        }),
    ];
    for (name, help, unit, bounds, counts) in paths {
        text.family(&format!("hyperion_worker_transports_by_{name}"), Kind::Gauge, help);
        for (worker, survey) in surveys {
            for (bound, count) in bounds.iter().zip(counts(survey)) {
                text.sample(&[("worker", worker), (unit, &bound.to_string())], count);
            }
        }
    }
}

/// A number of a worker: its name, what it is, what it says, and where it stands.
type Row<T> = (&'static str, Kind, &'static str, fn(&T) -> u64);

fn write_workers(text: &mut Exposition, workers: &[(String, WorkerStats)]) {
    const ROWS: &[Row<WorkerStats>] = &[
        ("routers", Kind::Gauge, "Routers held.", |s| s.routers as u64),
        ("transports", Kind::Gauge, "Transports held.", |s| s.transports as u64),
        ("producers", Kind::Gauge, "Producers held.", |s| s.producers as u64),
        ("consumers", Kind::Gauge, "Consumers held.", |s| s.consumers as u64),
        ("data_producers", Kind::Gauge, "Data producers held.", |s| s.data_producers as u64),
        ("data_consumers", Kind::Gauge, "Data consumers held.", |s| s.data_consumers as u64),
        ("timers", Kind::Gauge, "Deadlines of transports that wait, superseded ones included.", |s| s.timers as u64),
        ("data_messages_in_total", Kind::Counter, "Messages of data producers received.", |s| s.data_messages_in),
        ("data_bytes_in_total", Kind::Counter, "Bytes of those.", |s| s.data_bytes_in),
        ("data_messages_out_total", Kind::Counter, "Messages taken for data consumers.", |s| s.data_messages_out),
        ("data_bytes_out_total", Kind::Counter, "Bytes of those.", |s| s.data_bytes_out),
        ("data_messages_dropped_total", Kind::Counter, "Messages that slow unreliable data consumers missed.", |s| {
            s.data_messages_dropped
        }),
        ("data_consumers_overrun_total", Kind::Counter, "Reliable data consumers closed for being too slow.", |s| {
            s.data_consumers_overrun
        }),
        (
            "data_messages_unannounced_total",
            Kind::Counter,
            "Messages on channels that nobody announced; dropped.",
            |s| s.data_messages_unannounced,
        ),
        ("packets_out_total", Kind::Counter, "Media packets and retransmissions sent.", |s| s.packets_out),
        ("media_bytes_out_total", Kind::Counter, "Bytes of those.", |s| s.bytes_out),
        ("rtp_in_total", Kind::Counter, "RTP packets accepted from publishers.", |s| s.rtp_in),
        ("rtp_recovered_total", Kind::Counter, "Of those, by retransmission.", |s| s.rtp_recovered),
        ("rtp_duplicate_total", Kind::Counter, "RTP packets that had come already.", |s| s.rtp_duplicate),
        ("rtp_unannounced_total", Kind::Counter, "RTP packets that nobody announced; dropped.", |s| s.rtp_unannounced),
        ("stun_answered_total", Kind::Counter, "STUN checks answered.", |s| s.stun_answered),
        ("stun_dropped_total", Kind::Counter, "STUN messages dropped.", |s| s.stun_dropped),
        ("unknown_dropped_total", Kind::Counter, "Datagrams of no known sender or kind; dropped.", |s| {
            s.unknown_dropped
        }),
        ("srtp_failed_total", Kind::Counter, "Packets that failed authentication; dropped.", |s| s.srtp_failed),
        ("srtp_replayed_total", Kind::Counter, "Packets that were replayed or too old; dropped.", |s| s.srtp_replayed),
        ("nacks_out_total", Kind::Counter, "Packets that publishers were asked for again.", |s| s.nacks_out),
        ("nacks_in_total", Kind::Counter, "Packets that receivers asked for again.", |s| s.nacks_in),
        ("retransmitted_total", Kind::Counter, "Of those, sent again.", |s| s.retransmitted),
        ("retransmissions_refused_total", Kind::Counter, "Not sent again: over their share, or too old.", |s| {
            s.retransmissions_refused
        }),
        ("skipped_total", Kind::Counter, "Skips to a keyframe because a path was too slow.", |s| s.skipped),
        ("probes_out_total", Kind::Counter, "Packets of padding that found out what paths carry.", |s| s.probes_out),
        ("keyframe_requests_out_total", Kind::Counter, "Keyframe requests to publishers.", |s| s.keyframe_requests_out),
        ("keyframe_requests_in_total", Kind::Counter, "Keyframe requests of receivers.", |s| s.keyframe_requests_in),
        ("control_dropped_total", Kind::Counter, "Control datagrams dropped: queue full.", |s| s.control_dropped),
        ("events_dropped_total", Kind::Counter, "Audio level events dropped: queue full.", |s| s.events_dropped),
    ];
    write_rows(text, ROWS, workers);
}

fn write_drivers(text: &mut Exposition, workers: &[WorkerMetrics]) {
    const ROWS: &[Row<WorkerMetrics>] = &[
        ("alive", Kind::Gauge, "1 while the thread runs.", |m| u64::from(m.alive)),
        (
            "deaths_total",
            Kind::Counter,
            "Times the thread ended by a fault and took with it all that was on it.",
            |m| m.deaths,
        ),
        ("busy_permille", Kind::Gauge, "Thousandths of the last second awake.", |m| u64::from(m.busy_permille)),
        ("busy_microseconds_total", Kind::Counter, "Time awake.", |m| {
            u64::try_from(m.busy.as_micros()).unwrap_or(u64::MAX)
        }),
        ("command_depth", Kind::Gauge, "Calls that wait.", |m| m.command_depth as u64),
        ("commands_total", Kind::Counter, "Calls that were run.", |m| m.commands),
        ("events_delayed_total", Kind::Counter, "Turns whose events had to wait.", |m| m.events_delayed),
        ("turns_total", Kind::Counter, "Turns of the loop.", |m| m.turns),
        ("long_turns_total", Kind::Counter, "Turns of more than 2 ms.", |m| m.long_turns),
        ("segmentation_off", Kind::Gauge, "Sockets without segmentation offload.", |m| u64::from(m.segmentation_off)),
        ("datagrams_in_total", Kind::Counter, "Datagrams received, by UDP and TCP.", |m| m.datagrams_in),
        ("bytes_in_total", Kind::Counter, "Bytes of them.", |m| m.bytes_in),
        ("receive_calls_total", Kind::Counter, "recvmmsg calls that brought something.", |m| m.receive_calls),
        ("receive_errors_total", Kind::Counter, "recvmmsg calls that failed.", |m| m.receive_errors),
        ("datagrams_out_total", Kind::Counter, "Datagrams sent, by UDP and TCP.", |m| m.datagrams_out),
        ("bytes_out_total", Kind::Counter, "Bytes of them.", |m| m.bytes_out),
        ("send_calls_total", Kind::Counter, "sendmmsg calls.", |m| m.send_calls),
        ("messages_out_total", Kind::Counter, "Messages sent, each of one or more datagrams.", |m| m.messages_out),
        ("would_block_total", Kind::Counter, "Times a send buffer was full.", |m| m.would_block),
        ("no_buffers_total", Kind::Counter, "Times the kernel had no memory for a message.", |m| m.no_buffers),
        ("lane_packets_in_total", Kind::Counter, "Packets from the node's other workers.", |m| m.lane_packets_in),
        ("lane_packets_out_total", Kind::Counter, "Packets to the node's other workers.", |m| m.lane_packets_out),
        ("tcp_connections", Kind::Gauge, "Media connections (TCP) that are open.", |m| u64::from(m.tcp_connections)),
        ("tcp_accepted_total", Kind::Counter, "Media connections (TCP) accepted.", |m| m.tcp_accepted),
        ("tcp_queued_bytes", Kind::Gauge, "Bytes that wait for full media connections.", |m| m.tcp_queued_bytes),
    ];
    let named: Vec<(String, WorkerMetrics)> = workers.iter().map(|m| (m.worker.to_string(), m.clone())).collect();
    write_rows(text, ROWS, &named);
    text.family("hyperion_worker_dropped_total", Kind::Counter, "Datagrams thrown away by the driver, by cause.");
    for (worker, metrics) in &named {
        let dropped = metrics.dropped;
        let causes = [
            ("refused", dropped.refused),
            ("unreachable", dropped.unreachable),
            ("too_large", dropped.too_large),
            ("invalid", dropped.invalid),
            ("other", dropped.other),
            ("port_zero", dropped.port_zero),
            ("queue_full", dropped.queue_full),
            ("not_connected", dropped.not_connected),
            ("lane_full", dropped.lane_full),
        ];
        for (cause, count) in causes {
            text.sample(&[("worker", worker), ("cause", cause)], count);
        }
    }
    text.family("hyperion_worker_tcp_refused_total", Kind::Counter, "Media connections (TCP) refused, by cause.");
    for (worker, metrics) in &named {
        let refused = metrics.tcp_refused;
        let causes = [
            ("too_many", refused.too_many),
            ("too_many_of_address", refused.too_many_of_address),
            ("system", refused.system),
        ];
        for (cause, count) in causes {
            text.sample(&[("worker", worker), ("cause", cause)], count);
        }
    }
    text.family("hyperion_worker_tcp_closed_total", Kind::Counter, "Media connections (TCP) that ended, by cause.");
    for (worker, metrics) in &named {
        let closed = metrics.tcp_closed;
        let causes = [
            ("by_peer", closed.by_peer),
            ("by_error", closed.by_error),
            ("frame_too_long", closed.frame_too_long),
            ("unproven", closed.unproven),
            ("ended", closed.ended),
        ];
        for (cause, count) in causes {
            text.sample(&[("worker", worker), ("cause", cause)], count);
        }
    }
}

fn write_rows<T>(text: &mut Exposition, rows: &[Row<T>], workers: &[(String, T)]) {
    for (name, kind, help, value) in rows {
        text.family(&format!("hyperion_worker_{name}"), *kind, help);
        for (worker, numbers) in workers {
            text.sample(&[("worker", worker)], value(numbers));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted_by_code() {
        let results = Results::default();
        let _ = results.count(Ok(()));
        let _ = results.count::<()>(Err(ErrorBody::new(ErrorCode::RoomFull, "full")));
        let mut text = Exposition::default();
        results.write(&mut text, "joins_total", "Joins.");
        let text = text.finish();
        assert!(text.contains("joins_total{result=\"ok\"} 1\n"), "{text}");
        assert!(text.contains("joins_total{result=\"room_full\"} 1\n"), "{text}");
    }
}
