// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How one flow compares.

use std::fmt;

use super::{listed::Listed, seen::Seen};
use crate::{flow::Flow, istio::Config};

/// How one flow compares.
#[derive(Clone, Debug)]
pub enum Outcome {
    Same,
    /// It differs, as `docs/differences.md` says.
    Listed(Listed),
    Differs(Box<Difference>),
}

/// A flow that did not go the same way in both pods.
#[derive(Clone, Debug)]
pub struct Difference {
    pub config: Config,
    pub flow: Flow,
    /// What was seen under the rules of iptables, and of the enrolled pod, where that differs.
    pub seen: Option<[Seen; 2]>,
    /// What is wrong with the reason that the kernel programs counted.
    pub reason: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, flow, seen, reason } = self;
        write!(formatter, "{config}\n    {flow}")?;
        if let Some([theirs, ours]) = seen {
            write!(formatter, "\niptables: {theirs}\nebpf:     {ours}")?;
        }
        reason.iter().try_for_each(|reason| write!(formatter, "\n{reason}"))
    }
}
