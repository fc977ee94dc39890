// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The same story twice: under Istio's rules, and under ours.

use std::collections::BTreeMap;

use testkit::{
    Backend, Counters, Node,
    envoy::{Case, Line, Mesh},
};

/// What everyone saw of a story; ports that the kernel chose are left out.
pub(crate) struct Seen {
    /// By the clients, in their order.
    pub(crate) steps: Vec<String>,
    /// By the sidecars, sorted: what ends at the same time is logged in any order.
    pub(crate) client: Vec<Line>,
    pub(crate) server: Vec<Line>,
}

/// Tells `story` in two meshes, and fails unless everyone saw the same in both. Returns that.
pub(crate) fn alike(case: &Case, story: impl Fn(&mut Mesh<'_>) -> Vec<String>) -> Seen {
    let node = Node::new();
    let [theirs, ours] = Backend::ALL.map(|backend| seen(&node, case, backend, &story));
    expect_acceleration(&node, case);
    let differences: Vec<String> = [
        ("what the clients saw", difference(&theirs.steps, &ours.steps)),
        (
            "the log of the client's sidecar",
            difference(&texts(&theirs.client), &texts(&ours.client)),
        ),
        (
            "the log of the server's sidecar",
            difference(&texts(&theirs.server), &texts(&ours.server)),
        ),
    ]
    .into_iter()
    .filter_map(|(what, difference)| Some(format!("{what}:\n{}", difference?)))
    .collect();
    assert!(differences.is_empty(), "- iptables, + ebpf\n{}", differences.join("\n"));
    ours
}

/// As the case wants it, and not otherwise.
pub(crate) fn expect_acceleration(node: &Node, case: &Case) {
    let counters = Counters::of_node(node);
    assert_eq!(counters.of("accelerated") > 0, case.accelerate, "{counters}");
}

fn seen(node: &Node, case: &Case, backend: Backend, story: &impl Fn(&mut Mesh<'_>) -> Vec<String>) -> Seen {
    let mut mesh = Mesh::new(node, &backend.to_string(), case, backend);
    let steps = story(&mut mesh);
    let [client, server] = mesh.stop().map(|lines| {
        let mut lines: Vec<Line> = lines.into_iter().map(Line::without_ports).collect();
        lines.sort();
        lines
    });
    Seen { steps, client, server }
}

fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|line| serde_json::to_string(line).expect("JSON")).collect()
}

/// The lines that occur more often on one side than on the other; nothing if there are none.
fn difference(theirs: &[String], ours: &[String]) -> Option<String> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for line in theirs {
        *counts.entry(line).or_default() -= 1;
    }
    for line in ours {
        *counts.entry(line).or_default() += 1;
    }
    let lines = counts.into_iter().filter(|(_, count)| *count != 0).map(|(line, count)| {
        let sign = if count < 0 { '-' } else { '+' };
        let times = if count.abs() > 1 {
            format!(" ({} times)", count.abs())
        } else {
            String::new()
        };
        format!("  {sign} {line}{times}")
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
