//! A work's figures: JSON, or lines of a table.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What came of a work.
pub(super) struct Row {
    name: String,
    figures: Vec<(&'static str, Vec<f64>)>,
    /// The most that a figure may be.
    goals: BTreeMap<&'static str, f64>,
    void: Option<String>,
}

impl Row {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), figures: Vec::new(), goals: BTreeMap::new(), void: None }
    }

    /// Of a work that could not be measured.
    pub(super) fn void(name: &str, why: String) -> Self {
        Self { void: Some(why), ..Self::new(name) }
    }

    /// Adds what was found in each run; nothing of a figure that was found in none.
    pub(super) fn figure(&mut self, name: &'static str, runs: impl IntoIterator<Item = f64>) {
        let mut runs: Vec<f64> = runs.into_iter().collect();
        runs.sort_unstable_by(f64::total_cmp);
        if !runs.is_empty() {
            self.figures.push((name, runs));
        }
    }

    /// The same of a figure that is to be this at most, in the median.
    pub(super) fn figure_at_most(&mut self, most: f64, name: &'static str, runs: impl IntoIterator<Item = f64>) {
        self.goals.insert(name, most);
        self.figure(name, runs);
    }

    /// Says why the figures do not count, if they do not yet.
    pub(super) fn void_because(&mut self, why: Option<String>) {
        self.void = self.void.take().or(why);
    }

    fn to_json(&self) -> Value {
        let mut row = Map::new();
        row.insert("name".to_owned(), json!(self.name));
        for (name, runs) in &self.figures {
            row.insert((*name).to_owned(), number(median(runs)));
        }
        let spread = self.figures.iter().filter_map(|(name, runs)| {
            let [first, .., last] = runs.as_slice() else { return None };
            Some(((*name).to_owned(), json!([number(*first), number(*last)])))
        });
        row.insert("spread".to_owned(), Value::Object(spread.collect()));
        if !self.goals.is_empty() {
            let verdicts = self.figures.iter().filter_map(|(name, runs)| {
                let most = self.goals.get(name)?;
                Some(((*name).to_owned(), json!({ "at_most": most, "met": median(runs) <= *most })))
            });
            row.insert("goals".to_owned(), Value::Object(verdicts.collect()));
        }
        row.insert("void".to_owned(), json!(self.void));
        Value::Object(row)
    }
}

/// Prints all of them.
pub(super) fn print(machine: &Value, rows: &[Row], json: bool) -> anyhow::Result<()> {
    if json {
        let work: Vec<_> = rows.iter().map(Row::to_json).collect();
        println!("{}", serde_json::to_string_pretty(&json!({ "machine": machine, "work": work }))?);
        return Ok(());
    }
    println!("{machine}");
    for row in rows {
        println!("\n{}{}", row.name, row.void.as_ref().map_or_else(String::new, |why| format!("  VOID: {why}")));
        for (name, runs) in &row.figures {
            let spread = match runs.as_slice() {
                [first, .., last] => format!("{} to {}", number(*first), number(*last)),
                _ => String::new(),
            };
            let goal = row.goals.get(name).map_or_else(String::new, |most| {
                let verdict = if median(runs) <= *most { "met" } else { "MISSED" };
                format!("   goal: at most {}, {verdict}", number(*most))
            });
            println!("  {name:<32} {:>12}   {spread:<20}{goal}", number(median(runs)).to_string());
        }
    }
    Ok(())
}

/// Of sorted values, at least one.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// As precise as such measurements are.
fn number(value: f64) -> Value {
    if value.abs() >= 100.0 { json!(value.round() as i64) } else { json!((value * 1000.0).round() / 1000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_its_median_with_its_spread() {
        let mut row = Row::new("video");
        row.figure("ratio", [1.5, 1.1, 1.2]);
        row.figure("server_ns_per_packet", [2010.6, 2000.2]);
        row.figure("rss_kib_per_receiver", [40.0]);
        row.figure("none", []);
        row.void_because(Some("0.20 % of the packets are missing".to_owned()));
        row.void_because(Some("another".to_owned()));
        let expected = json!({
            "name": "video",
            "ratio": 1.2,
            "server_ns_per_packet": 2005,
            "rss_kib_per_receiver": 40.0,
            "spread": { "ratio": [1.1, 1.5], "server_ns_per_packet": [2000, 2011] },
            "void": "0.20 % of the packets are missing",
        });
        assert_eq!(row.to_json(), expected);
    }

    #[test]
    fn a_goal_is_met_in_the_median() {
        let mut row = Row::new("cluster");
        row.figure_at_most(1.3, "ratio", [1.5, 1.1, 1.3]);
        row.figure_at_most(10.0, "seconds", [10.1]);
        let expected = json!({
            "ratio": { "at_most": 1.3, "met": true },
            "seconds": { "at_most": 10.0, "met": false },
        });
        assert_eq!(row.to_json()["goals"], expected);
    }
}
