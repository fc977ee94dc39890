// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The report on the terminal.

use std::fmt;

use super::model::{Comparison, Differing, Origin, Report, Sides, Verdict};

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for comparison in &self.comparisons {
            writeln!(formatter, "{comparison}")?;
        }
        for left_out in &self.left_out {
            writeln!(formatter, "Not compared: {left_out}")?;
        }
        for pod in &self.unknown {
            writeln!(
                formatter,
                "Not compared: {pod}, which a command has enrolled; give its flags to `interceptor verify`"
            )?;
        }
        write!(
            formatter,
            "{} (Linux {}, seed {})",
            self.verdict().sentence(),
            self.kernel,
            self.seed
        )
    }
}

impl Verdict {
    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::Same => "No difference",
            Self::Differs => "There are differences",
            Self::Incomplete => "No difference in what was compared, and not everything was",
        }
    }
}

impl Comparison {
    pub(super) fn title(&self) -> String {
        match self.pods.as_slice() {
            [] => self.configuration.clone(),
            pods => format!("{}: {}", pods.join(", "), self.configuration),
        }
    }

    pub(super) fn summary(&self) -> String {
        let Self { iptables, iptables_version, written, random, listed, differences, .. } = self;
        let found = match differences.len() {
            0 => "no difference".to_owned(),
            1 => "1 differs".to_owned(),
            count => format!("{count} differ"),
        };
        let listed: usize = listed.values().sum();
        let listed = if listed == 0 {
            String::new()
        } else {
            format!(", {listed} as docs/differences.md lists")
        };
        format!(
            "iptables-{iptables} ({iptables_version}): {written} written and {random} random connections, \
             {found}{listed}"
        )
    }
}

pub(super) fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n  {}", self.title(), self.summary())?;
        for (listed, count) in &self.listed {
            write!(formatter, "\n  listed, {}: {}", times(*count), listed.why())?;
        }
        self.differences
            .iter()
            .try_for_each(|difference| write!(formatter, "\n{difference}"))
    }
}

impl fmt::Display for Differing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, connection, seen, reason } = self;
        let origin = match origin {
            Origin::Written => "",
            Origin::Random => " (random)",
        };
        write!(formatter, "  {connection}{origin}")?;
        if let Some(Sides { iptables, interceptor }) = seen {
            write!(formatter, "\n    iptables:    {iptables}\n    interceptor: {interceptor}")?;
        }
        reason.iter().try_for_each(|reason| write!(formatter, "\n    {reason}"))
    }
}
