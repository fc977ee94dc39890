// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The metrics of agent and webhook, read from what they answer before anything has happened.

use std::collections::{BTreeMap, BTreeSet};

/// One metric, with all labels that it can have.
#[derive(Debug, Default)]
pub(crate) struct Metric {
    /// As the text calls it, without the endings of its samples.
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) help: String,
    pub(crate) labels: BTreeMap<String, BTreeSet<String>>,
}

impl Metric {
    /// The names by which Prometheus knows it.
    pub(crate) fn series(&self) -> Vec<String> {
        let endings: &[&str] = match self.kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            "info" => &["_info"],
            other => panic!("{}: a metric of the kind {other}", self.name),
        };
        endings.iter().map(|ending| format!("{}{ending}", self.name)).collect()
    }
}

pub(crate) fn of_the_agent() -> Vec<Metric> {
    read(&interceptor_agent::idle_metrics().expect("text"))
}

pub(crate) fn of_the_webhook() -> Vec<Metric> {
    read(&interceptor_webhook::idle_metrics().expect("text"))
}

/// Of the format [OpenMetrics](https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md), what
/// the programs write.
fn read(text: &str) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = Vec::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("a name and a help");
            let help = help.trim_end_matches('.').to_owned();
            metrics.push(Metric { name: name.to_owned(), help, ..Metric::default() });
            continue;
        }
        let metric = metrics.last_mut().unwrap_or_else(|| panic!("{line} has no help"));
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            kind.rsplit_once(' ').expect("a kind").1.clone_into(&mut metric.kind);
            continue;
        }
        assert!(line.starts_with(&metric.name), "{line} stands below {}", metric.name);
        let labels = line
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'))
            .map(|(labels, _)| labels);
        for label in labels.into_iter().flat_map(|labels| labels.split(',')) {
            let (name, value) = label.split_once('=').expect("a label");
            let values = metric.labels.entry(name.to_owned()).or_default();
            values.insert(value.trim_matches('"').to_owned());
        }
    }
    metrics
}
