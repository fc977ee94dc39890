// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The counters of a pod, as `interceptor status` shows them.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;

use crate::node::Node;

/// What `interceptor status` counted, by label.
#[derive(Debug)]
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Over all pods of the node.
    pub fn of_node(node: &Node) -> Self {
        #[derive(Deserialize)]
        struct PodCounters {
            counters: BTreeMap<String, u64>,
        }
        let pods: Vec<PodCounters> = node.run(&["status", "-o", "json"]).json();
        let mut sum = BTreeMap::new();
        for (label, count) in pods.into_iter().flat_map(|pod| pod.counters) {
            *sum.entry(label).or_default() += count;
        }
        Self(sum)
    }

    pub fn of(&self, label: &str) -> u64 {
        self.0.get(label).copied().unwrap_or_default()
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}
