//! Prometheus' text exposition format, version 0.0.4.

use std::fmt::{Display, Write as _};

use crate::histogram::Histogram;

/// What a number does over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
}

/// A text under construction: families, each followed by its samples.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    family: String,
}

impl Exposition {
    /// Begins a family. Names and label names are literals of the program.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        name.clone_into(&mut self.family);
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// Adds a sample of the family.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(&self.family);
        for (at, (name, label)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let label = label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{open}{name}=\"{label}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    /// Adds a family of one histogram.
    pub fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} histogram\n");
        let (mut count, sum) = (0, histogram.sum().as_secs_f64());
        for (bound, in_bucket) in histogram.buckets() {
            count += in_bucket;
            let bound = bound.map_or("+Inf".to_owned(), |bound| bound.as_secs_f64().to_string());
            let _ = writeln!(self.text, "{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        let _ = writeln!(self.text, "{name}_sum {sum}\n{name}_count {count}");
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn buckets_of_a_histogram_add_up() {
        let histogram = Histogram::default();
        for ms in [1, 3, 70_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let mut text = Exposition::default();
        text.histogram("join_seconds", "Joins.", &histogram);
        let text = text.finish();
        let head = "# HELP join_seconds Joins.\n# TYPE join_seconds histogram\njoin_seconds_bucket{le=\"0.001\"} 1\n";
        assert!(text.starts_with(head), "{text}");
        assert!(text.contains("\njoin_seconds_bucket{le=\"0.005\"} 2\njoin_seconds_bucket{le=\"0.01\"} 2\n"), "{text}");
        let tail = "join_seconds_bucket{le=\"+Inf\"} 3\njoin_seconds_sum 70.004\njoin_seconds_count 3\n";
        assert!(text.ends_with(tail), "{text}");
    }

    #[test]
    fn families_have_a_head_and_samples_have_labels() {
        let mut text = Exposition::default();
        text.family("joins_total", Kind::Counter, "Joins by result.");
        text.sample(&[("result", "ok"), ("why", "a\"b")], 3);
        text.family("rooms", Kind::Gauge, "Rooms.");
        text.sample(&[], 1);
        assert_eq!(
            text.finish(),
            "# HELP joins_total Joins by result.\n# TYPE joins_total counter\n\
             joins_total{result=\"ok\",why=\"a\\\"b\"} 3\n\
             # HELP rooms Rooms.\n# TYPE rooms gauge\nrooms 1\n"
        );
    }
}
