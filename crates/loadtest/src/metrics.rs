//! What a server tells of itself at `/metrics`, as Prometheus' text.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use anyhow::Context as _;

/// Every figure at an instant, by its name and labels.
pub(crate) struct Metrics {
    samples: BTreeMap<String, f64>,
    gauges: BTreeSet<String>,
}

impl Metrics {
    pub(crate) async fn read(server: SocketAddr) -> anyhow::Result<Self> {
        let text = crate::http::request(server, "GET", "/metrics", "").await.context("/metrics")?;
        Ok(Self::parse(&text))
    }

    pub(crate) fn parse(text: &str) -> Self {
        let is_gauge = |line: &&str| line.strip_prefix("# TYPE ").is_some_and(|rest| rest.ends_with(" gauge"));
        let gauges = text.lines().filter(is_gauge).filter_map(|line| line.split(' ').nth(2)).map(str::to_owned);
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        let samples = samples.filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?)));
        Self { samples: samples.collect(), gauges: gauges.collect() }
    }

    /// A figure, or the sum of it over its labels; 0 of what is not there.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        sum(&self.samples, name)
    }

    /// How many labels a figure has.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.samples.keys().filter(|key| name_of(key) == name).count()
    }

    /// The gauges whose names are wanted.
    pub(crate) fn gauges(&self, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, f64> {
        let gauge = |key: &&String| self.gauges.contains(name_of(key)) && wanted(name_of(key));
        self.samples.keys().filter(gauge).map(|key| (key.clone(), self.samples[key])).collect()
    }
}

/// A figure, or the sum of it over its labels.
pub(crate) fn sum(samples: &BTreeMap<String, f64>, name: &str) -> f64 {
    samples.iter().filter(|(key, _)| name_of(key) == name).map(|(_, value)| value).sum()
}

fn name_of(key: &str) -> &str {
    key.split('{').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_and_summed_over_their_labels() {
        let text = "# HELP a_rooms Rooms.\n# TYPE a_rooms gauge\na_rooms 2\n# TYPE a_timers gauge\n\
            a_timers{worker=\"0\"} 3\na_timers{worker=\"1\"} 4\n# TYPE a_timers_total counter\na_timers_total 9\n";
        let metrics = Metrics::parse(text);
        assert_eq!((metrics.sum("a_rooms"), metrics.sum("a_timers"), metrics.sum("a_timers_total")), (2.0, 7.0, 9.0));
        assert_eq!((metrics.count("a_timers"), metrics.sum("a_time"), metrics.count("a_time")), (2, 0.0, 0));
        assert_eq!(metrics.gauges(|name| name != "a_rooms").len(), 2);
    }
}
