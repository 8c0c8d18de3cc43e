//! Prometheus' text exposition format, version 0.0.4.

use std::fmt::{Display, Write as _};

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

    /// The whole text.
    pub fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
