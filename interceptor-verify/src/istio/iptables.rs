// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two programs that put Istio's rules in force.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde::Serialize;

use super::{
    config::Config,
    routing::route_marked,
    rules::{Family, rules},
};
use crate::scratch::{Scratch, run};

/// Which iptables writes the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Iptables {
    Legacy,
    Nft,
}

/// Where the programs are of one of the two.
#[derive(Clone, Debug)]
pub struct Tools {
    variant: Iptables,
    v4: PathBuf,
    v6: PathBuf,
    /// What the program says of itself: `iptables-restore v1.8.9 (nf_tables)`.
    pub version: String,
}

impl Iptables {
    pub const ALL: [Self; 2] = [Self::Legacy, Self::Nft];

    /// The programs of this variant: those that are named after it, or else those without such a name which say that
    /// they are of it.
    pub fn find(self) -> anyhow::Result<Tools> {
        let named = format!("iptables-{self}-restore");
        for (v4, v6) in [
            (named.as_str(), format!("ip6tables-{self}-restore")),
            ("iptables-restore", "ip6tables-restore".to_owned()),
        ] {
            let (Some(v4), Some(v6)) = (find(v4), find(&v6)) else { continue };
            let version = version(&v4)?;
            if version.contains(self.mark()) {
                return Ok(Tools { variant: self, v4, v6, version });
            }
        }
        bail!(
            "there is neither {named} nor an iptables-restore of that kind in PATH; install the package `iptables`, or \
             use an image that has it (the target `iptables` of deploy/Containerfile)"
        )
    }

    /// How its programs tell that they are of it.
    const fn mark(self) -> &'static str {
        match self {
            Self::Legacy => "(legacy)",
            Self::Nft => "(nf_tables)",
        }
    }
}

impl Tools {
    pub const fn variant(&self) -> Iptables {
        self.variant
    }

    /// Whether rules can be written: writes one that no packet meets, in a namespace of its own.
    pub(crate) fn expect_to_work(&self, scratch: &Scratch) -> anyhow::Result<()> {
        const NO_OPERATION: &str = "*nat\n-A INPUT -p 255 -j RETURN\n-D INPUT -p 255 -j RETURN\nCOMMIT\n";
        let place = scratch.place(&format!("try-{}", self.variant))?;
        for program in [&self.v4, &self.v6] {
            let mut restore = place.command(program);
            restore.arg("--wait=30");
            run(restore, NO_OPERATION, scratch.patience()).context("this kernel takes no rules of it")?;
        }
        Ok(())
    }

    /// Puts the rules for `config` in force, in place of those of another. `command` makes the command lines of
    /// programs that run in the pod.
    pub fn load(&self, command: &dyn Fn(&Path) -> Command, config: &Config, patience: Duration) -> anyhow::Result<()> {
        let families: &[Family] = if config.stack.has_v6() { &[Family::V4, Family::V6] } else { &[Family::V4] };
        for family in families {
            let mut restore = command(match family {
                Family::V4 => &self.v4,
                Family::V6 => &self.v6,
            });
            restore.arg("--wait=30");
            run(restore, &rules(config, *family), patience)
                .with_context(|| format!("write the rules by iptables-{}", self.variant))?;
        }
        if config.is_tproxy() {
            route_marked(command, config.flag('t'), config.flag('r'), patience)
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for Iptables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Legacy => "legacy",
            Self::Nft => "nft",
        })
    }
}

fn version(program: &Path) -> anyhow::Result<String> {
    let asked = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let asked = asked.with_context(|| format!("ask {} for its version", program.display()))?;
    Ok(String::from_utf8_lossy(&asked.stdout).trim().to_owned())
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
