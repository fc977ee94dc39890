// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The alerts and the dashboard name what there is, and the document knows every alert.

use std::collections::BTreeSet;

use interceptor_policy::{Action, Reason};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    exported::{Metric, of_the_agent, of_the_webhook},
    text,
};

const ALERTS: &str = "deploy/chart/files/alerts.yaml";
const DASHBOARD: &str = "deploy/chart/files/dashboard.json";

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: String,
    expr: String,
}

fn alerts() -> Vec<Rule> {
    let rules: Rules = serde_saphyr::from_str(&text(ALERTS)).expect("rules");
    rules.groups.into_iter().flat_map(|group| group.rules).collect()
}

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).expect("a dashboard");
    let panels = dashboard["panels"].as_array().expect("panels");
    panels.iter().filter(|panel| panel["type"] != "row").cloned().collect()
}

/// Title and expression of each line of each panel.
fn lines() -> Vec<(String, String)> {
    let of_panel = |panel: &Value| {
        let title = panel["title"].as_str().expect("a title").to_owned();
        let targets = panel["targets"].as_array().expect("targets").clone();
        targets
            .into_iter()
            .map(move |target| (title.clone(), target["expr"].as_str().expect("an expression").to_owned()))
    };
    panels().iter().flat_map(of_panel).collect()
}

fn exported() -> Vec<Metric> {
    of_the_agent().into_iter().chain(of_the_webhook()).collect()
}

/// What could be the name of one of our metrics.
fn names(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words
        .filter(|word| word.starts_with("interceptor_") || word.starts_with("istio_"))
        .collect()
}

/// The values that an expression wants of a label, as alternatives of regular expressions.
fn wanted<'a>(expression: &'a str, label: &str) -> Vec<&'a str> {
    let mut wanted = Vec::new();
    for operator in ["=\"", "=~\"", "!~\""] {
        for (at, found) in expression.match_indices(&format!("{label}{operator}")) {
            let value = expression[at + found.len()..].split('"').next().unwrap_or_default();
            wanted.extend(value.split('|'));
        }
    }
    wanted
}

/// Of regular expressions, the alerts and the dashboard use `.+` at the end, and nothing else.
fn matches(alternative: &str, value: &str) -> bool {
    match alternative.strip_suffix(".+") {
        Some(prefix) => value.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()),
        None => alternative == value,
    }
}

#[test]
fn every_metric_and_label_of_alerts_and_dashboard_is_exported() {
    let exported = exported();
    let of_alerts = alerts().into_iter().map(|rule| (rule.alert, rule.expr));
    for (who, expression) in of_alerts.chain(lines()) {
        for name in names(&expression) {
            let metric = exported
                .iter()
                .find(|metric| metric.series().iter().any(|series| series == name));
            let metric = metric.unwrap_or_else(|| panic!("{who}: nobody exports {name}"));
            for (label, values) in &metric.labels {
                for alternative in wanted(&expression, label) {
                    let is_there = values.iter().any(|value| matches(alternative, value));
                    assert!(is_there, "{who}: no {label} of {name} is {alternative}");
                }
            }
        }
    }
}

#[test]
fn the_dashboard_shows_every_metric() {
    let lines = lines();
    let shown: BTreeSet<&str> = lines.iter().flat_map(|(_, expression)| names(expression)).collect();
    for metric in exported() {
        let is_shown = metric.series().iter().any(|series| shown.contains(series.as_str()));
        assert!(is_shown, "{} is on no panel", metric.name);
    }
}

#[test]
fn every_reason_is_on_one_panel_and_what_is_redirected_on_that_of_its_name() {
    let lines: Vec<_> = lines()
        .into_iter()
        .filter(|(_, expression)| names(expression).contains("interceptor_connections_total"))
        .collect();
    for reason in Reason::ALL {
        let has = |expression: &&(String, String)| {
            let is_named = wanted(&expression.1, "reason").iter().any(|one| matches(one, reason.label()));
            is_named != expression.1.contains("reason!~")
        };
        let found: Vec<&str> = lines.iter().filter(has).map(|(title, _)| title.as_str()).collect();
        let [panel] = found.as_slice() else {
            panic!("{} is on {found:?}", reason.label())
        };
        let is_redirected = match reason.action() {
            Some(Action::RedirectOutbound | Action::RedirectInbound | Action::RedirectDns) => true,
            Some(Action::Pass | Action::Fail(_)) | None => false,
        };
        assert_eq!(*panel == "Redirected", is_redirected, "{} is on {panel}", reason.label());
        let passes = reason.action() == Some(Action::Pass);
        assert_eq!(*panel == "Not redirected", passes, "{} is on {panel}", reason.label());
    }
}

#[test]
fn the_document_has_a_section_for_every_alert_and_no_other() {
    let document = text("docs/operations.md");
    let sections: BTreeSet<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("### Interceptor"))
        .collect();
    let alerts = alerts();
    let names: BTreeSet<&str> = alerts
        .iter()
        .filter_map(|rule| rule.alert.strip_prefix("Interceptor"))
        .collect();
    assert_eq!(sections, names);
}
