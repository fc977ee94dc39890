// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What was compared, what differs, and what that means.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::{
    istio::Iptables,
    lab::{Difference, Listed, Seen},
};

#[derive(Debug, Serialize)]
pub(in crate::command) struct Report {
    pub(in crate::command) version: &'static str,
    pub(in crate::command) kernel: String,
    pub(in crate::command) time: String,
    pub(in crate::command) seed: u64,
    pub(in crate::command) comparisons: Vec<Comparison>,
    /// What was not compared because it is not there, or does not work, and why.
    pub(in crate::command) left_out: Vec<String>,
    /// Enrolled pods of which nobody knows with what.
    pub(in crate::command) unknown: Vec<String>,
}

/// One configuration with one iptables.
#[derive(Debug, Serialize)]
pub(in crate::command) struct Comparison {
    /// Whose configuration it is; nobody's, if it is that of flags.
    pub(in crate::command) pods: Vec<String>,
    pub(in crate::command) configuration: String,
    pub(in crate::command) iptables: Iptables,
    pub(in crate::command) iptables_version: String,
    /// How many connections of the list, and how many random ones.
    pub(in crate::command) written: usize,
    pub(in crate::command) random: usize,
    #[serde(serialize_with = "with_reasons")]
    pub(in crate::command) listed: BTreeMap<Listed, usize>,
    pub(in crate::command) differences: Vec<Differing>,
}

/// A connection that differs.
#[derive(Debug, Serialize)]
pub(in crate::command) struct Differing {
    pub(in crate::command) origin: Origin,
    /// As `docs/verify.md` describes it.
    pub(in crate::command) connection: String,
    pub(in crate::command) seen: Option<Sides>,
    /// What is wrong with the reason that the kernel programs counted.
    pub(in crate::command) reason: Option<String>,
}

/// What the clients and servers of one connection saw.
#[derive(Debug, Serialize)]
pub(in crate::command) struct Sides {
    pub(in crate::command) iptables: Seen,
    pub(in crate::command) interceptor: Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::command) enum Origin {
    Written,
    Random,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::command) enum Verdict {
    Same,
    Differs,
    /// Nothing differs of what was compared, and something was not.
    Incomplete,
}

impl Report {
    pub(in crate::command) fn verdict(&self) -> Verdict {
        if self.comparisons.iter().any(|comparison| !comparison.differences.is_empty()) {
            Verdict::Differs
        } else if self.comparisons.is_empty() || !self.unknown.is_empty() {
            Verdict::Incomplete
        } else {
            Verdict::Same
        }
    }
}

impl Differing {
    pub(in crate::command) fn new(origin: Origin, difference: &Difference) -> Self {
        let Difference { config: _, flow, seen, reason } = difference;
        let seen = seen.clone().map(|[iptables, interceptor]| Sides { iptables, interceptor });
        Self { origin, connection: flow.to_string(), seen, reason: reason.clone() }
    }
}

fn with_reasons<S: Serializer>(listed: &BTreeMap<Listed, usize>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Entry {
        difference: Listed,
        why: &'static str,
        connections: usize,
    }
    let entry =
        |(listed, count): (&Listed, &usize)| Entry { difference: *listed, why: listed.why(), connections: *count };
    serializer.collect_seq(listed.iter().map(entry))
}
