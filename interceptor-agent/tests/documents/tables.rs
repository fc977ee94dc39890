// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The tables of docs/operations.md.

use std::{collections::BTreeSet, env, fs};

use interceptor_policy::{Action, Reason, ReasonKind};

use crate::{
    exported::{Metric, of_the_agent, of_the_webhook},
    path, text,
};

const DOCUMENT: &str = "docs/operations.md";
const UPDATE: &str = "INTERCEPTOR_UPDATE_DOCS";

/// With more values than this, a label's are listed elsewhere.
const LISTED: usize = 20;

fn metrics(metrics: &[Metric]) -> String {
    let rows = metrics.iter().map(|metric| {
        let Metric { name, kind, help, labels } = metric;
        // Of a histogram, the endings are known to whoever reads histograms.
        let shown = if kind == "histogram" { name.clone() } else { metric.series().concat() };
        let labels: Vec<String> = labels
            .iter()
            .filter(|(label, _)| *label != "le")
            .map(|(label, values)| match label.as_str() {
                // Any.
                "version" | "status" => format!("`{label}`"),
                _ if values.len() > LISTED => format!("`{label}`: [see below](#reasons)"),
                _ => format!("`{label}`: {}", quoted(values)),
            })
            .collect();
        format!("| `{shown}` | {kind} | {} | {help} |\n", labels.join("; "))
    });
    format!(
        "| metric | kind | labels | what it tells |\n|---|---|---|---|\n{}",
        rows.collect::<String>()
    )
}

fn quoted(values: &BTreeSet<String>) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
    values.join(", ")
}

fn reasons(kind: ReasonKind) -> String {
    let of_kind = Reason::ALL.iter().filter(|reason| reason.kind() == kind);
    if kind == ReasonKind::Decision {
        let row = |reason: &Reason| {
            let action = reason.action().expect("decisions have one");
            format!("| `{}` | {} | {} |\n", reason.label(), done(action), reason.sentence())
        };
        format!(
            "| reason | the connection | because |\n|---|---|---|\n{}",
            of_kind.map(row).collect::<String>()
        )
    } else {
        let row = |reason: &Reason| format!("| `{}` | {} |\n", reason.label(), reason.sentence());
        format!(
            "| reason | what happened |\n|---|---|\n{}",
            of_kind.map(row).collect::<String>()
        )
    }
}

fn done(action: Action) -> String {
    let to = match action {
        Action::Pass => return "passes".to_owned(),
        Action::RedirectOutbound => "the sidecar's outbound port",
        Action::RedirectInbound => "the sidecar's inbound port",
        Action::RedirectDns => "the DNS agent",
        Action::Fail(error) => return format!("fails at once, with `{}`", error.name()),
    };
    format!("goes to {to}")
}

/// The document with its tables made anew. Each stands between two comments.
fn made_anew(document: &str) -> String {
    let tables = [
        ("agent", metrics(&of_the_agent())),
        ("webhook", metrics(&of_the_webhook())),
        ("decision", reasons(ReasonKind::Decision)),
        ("failure", reasons(ReasonKind::Failure)),
        ("acceleration", reasons(ReasonKind::Acceleration)),
    ];
    tables.into_iter().fold(document.to_owned(), |document, (name, table)| {
        let (begin, end) = (
            format!("<!-- table {name}, made by a test -->\n"),
            format!("<!-- end {name} -->"),
        );
        let places = document.split_once(&begin).and_then(|(before, rest)| {
            let (_old, after) = rest.split_once(&end)?;
            Some((before, after))
        });
        let (before, after) = places.unwrap_or_else(|| panic!("{DOCUMENT} has no place for {begin}"));
        format!("{before}{begin}\n{table}\n{end}{after}")
    })
}

#[test]
fn the_document_tells_what_each_metric_and_each_reason_means() {
    let written = text(DOCUMENT);
    let expected = made_anew(&written);
    if env::var_os(UPDATE).is_some() {
        fs::write(path(DOCUMENT), expected).expect("write the document");
        return;
    }
    let changed = expected.lines().zip(written.lines()).find(|(now, then)| now != then);
    assert!(
        expected == written,
        "{DOCUMENT} is out of date: the first line that changed is {changed:?}; run `{UPDATE}=1 cargo test -p \
         interceptor-agent --test documents`, and review it"
    );
}
