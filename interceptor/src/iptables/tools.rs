// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which iptables of this machine to use in a pod. It knows no rule.

use std::{fmt, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use interceptor_config::IptablesBinary;

use super::{process, tables::Tables, trusted};
use crate::{EnrollError, Netns};

/// How long iptables may wait for its own lock, in seconds, as in Istio
/// ([`implementation.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/dependencies/implementation.go)).
const WAIT: &str = "--wait=30";
/// How long one call of iptables may take.
const LIMIT: Duration = Duration::from_secs(40);
/// A rule that no packet meets, to see whether rules can be written.
const NO_OPERATION: &str = "*nat\n-A INPUT -p 255 -j RETURN\n-D INPUT -p 255 -j RETURN\nCOMMIT\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// Which of the kernel's packet filters an iptables writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    Legacy,
    Nft,
    /// One of the two: its name does not say which.
    Unnamed,
}

/// The programs of one variant for one family, in one pod.
#[derive(Debug)]
pub(super) struct Tool<'a> {
    netns: &'a Netns,
    variant: Variant,
    save: PathBuf,
    restore: PathBuf,
}

/// All that are there for one family, and why others may not be used.
#[derive(Debug)]
pub(super) struct Tools<'a> {
    family: Family,
    there: Vec<Tool<'a>>,
    refused: Vec<String>,
}

impl<'a> Tools<'a> {
    pub(super) fn find(netns: &'a Netns, family: Family) -> Self {
        let search = std::env::var("PATH").ok();
        let mut found = Self { family, there: Vec::new(), refused: Vec::new() };
        for variant in [Variant::Legacy, Variant::Nft, Variant::Unnamed] {
            // It is one of the others, if those are there.
            if variant == Variant::Unnamed && !found.there.is_empty() {
                continue;
            }
            let find = |verb: &str| trusted::find(&variant.program(family, verb), search.as_deref());
            match (find("save"), find("restore")) {
                (Ok(save), Ok(restore)) => found.there.push(Tool { netns, variant, save, restore }),
                (Err(reason), _) | (_, Err(reason)) if !reason.is_empty() => found.refused.push(reason),
                _ => {}
            }
        }
        found
    }

    /// Those that are there.
    pub(super) fn all(&self) -> &[Tool<'a>] {
        &self.there
    }

    /// The one that wrote rules of ours, if one did.
    pub(super) fn of_ours(self) -> Option<Tool<'a>> {
        self.there.into_iter().find(Tool::has_ours)
    }

    /// Takes the one that is asked for. Otherwise the one that wrote rules of ours here; otherwise as Istio does:
    /// legacy if it works and there are such rules already, else nft if that works, else what there is.
    pub(super) fn choose(self, forced: Option<IptablesBinary>) -> Result<Tool<'a>, EnrollError> {
        let Self { family, mut there, mut refused } = self;
        if let Some(ours) = there.iter().position(Tool::has_ours) {
            let tool = there.swap_remove(ours);
            if tool.variant.is(forced) {
                return Ok(tool);
            }
            let name = tool.netns.name().to_owned();
            return Err(EnrollError::OtherDataPath { name, data_path: "the other iptables" });
        }
        let mut meant: Vec<Tool<'_>> = there.into_iter().filter(|tool| tool.variant.is(forced)).collect();
        // Trying leaves an empty table, so what is not needed is not tried.
        meant.sort_by_key(|tool| match tool.variant {
            Variant::Legacy if tool.save().is_ok_and(|saved| saved.has_rules()) => 0,
            Variant::Nft => 1,
            Variant::Legacy | Variant::Unnamed => 2,
        });
        for tool in meant {
            match tool.restore(NO_OPERATION) {
                Ok(()) => return Ok(tool),
                Err(error) => refused.push(format!("{error:#}")),
            }
        }
        if refused.is_empty() {
            refused.push(format!("there is no {} in PATH", named(family, forced)));
        }
        Err(EnrollError::NoIptables { reason: refused.join("; ") })
    }
}

impl Tool<'_> {
    fn has_ours(&self) -> bool {
        self.save().is_ok_and(|saved| saved.has_ours())
    }

    /// The rules that are there.
    pub(super) fn save(&self) -> Result<Tables> {
        Ok(Tables::parse(&self.saved()?))
    }

    /// The same, as text from which they can be restored.
    pub(super) fn saved(&self) -> Result<String> {
        process::run(self.netns, &self.save, &[], "", LIMIT).context("Failed to read the rules of the pod")
    }

    /// Carries out commands; those of one table at one instant, or not at all.
    pub(super) fn restore(&self, commands: &str) -> Result<()> {
        let arguments = ["--noflush", WAIT];
        self.run(&arguments, commands).context("Failed to write rules in the pod")
    }

    /// Makes the tables in `saved` what they were when it was read.
    pub(super) fn reset(&self, saved: &str) -> Result<()> {
        self.run(&[WAIT], saved).context("Failed to restore the rules of the pod")
    }

    fn run(&self, arguments: &[&str], input: &str) -> Result<()> {
        if input.is_empty() {
            return Ok(());
        }
        process::run(self.netns, &self.restore, arguments, input, LIMIT).map(drop)
    }
}

impl Variant {
    fn is(self, forced: Option<IptablesBinary>) -> bool {
        match forced {
            None => true,
            Some(IptablesBinary::Legacy) => self == Self::Legacy,
            Some(IptablesBinary::Nft) => self == Self::Nft,
        }
    }

    fn program(self, family: Family, verb: &str) -> String {
        let family = family.program();
        match self {
            Self::Legacy => format!("{family}-legacy-{verb}"),
            Self::Nft => format!("{family}-nft-{verb}"),
            Self::Unnamed => format!("{family}-{verb}"),
        }
    }
}

impl Family {
    const fn program(self) -> &'static str {
        match self {
            Self::V4 => "iptables",
            Self::V6 => "ip6tables",
        }
    }
}

/// Whether there are programs for IPv4.
pub(super) fn installed() -> Result<(), EnrollError> {
    let search = std::env::var("PATH").ok();
    let mut reasons = Vec::new();
    for variant in [Variant::Legacy, Variant::Nft, Variant::Unnamed] {
        match trusted::find(&variant.program(Family::V4, "restore"), search.as_deref()) {
            Ok(_program) => return Ok(()),
            Err(reason) => reasons.extend(Some(reason).filter(|reason| !reason.is_empty())),
        }
    }
    reasons.push(format!("there is no {} in PATH", named(Family::V4, None)));
    Err(EnrollError::NoIptables { reason: reasons.join("; ") })
}

fn named(family: Family, forced: Option<IptablesBinary>) -> String {
    let program = |variant: Variant| variant.program(family, "restore");
    match forced {
        None => program(Variant::Unnamed),
        Some(IptablesBinary::Legacy) => program(Variant::Legacy),
        Some(IptablesBinary::Nft) => program(Variant::Nft),
    }
}

impl fmt::Display for Tool<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.restore.display().fmt(f)
    }
}
