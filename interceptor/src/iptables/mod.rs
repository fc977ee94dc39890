// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The other data path: Istio's own rules of iptables in the pod, for kernels that lack what the programs need. The
//! rules are those of [`interceptor_config::render`]. This machine's iptables writes them, in the pod's network
//! namespace.
//!
//! It is all or nothing: if the rules of one family cannot be written, those of the other are taken back.

mod lock;
mod process;
mod tables;
mod tools;
mod trusted;

use std::time::Duration;

use anyhow::{Result, anyhow};
use interceptor_config::{
    ConfigError, InterceptionMode, IstioConfig, Setting, Wanted,
    render::{self, Rendered},
};

use self::{
    lock::NetnsLock,
    tables::Tables,
    tools::{Family, Tool, Tools},
};
use crate::{
    EnrollError, MarkedRouting, Netns, Node,
    kernel::pod::{facts, ipv6, istio_rules},
};

/// What became of the rules of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// False if the rules were there already, all of them.
    pub changed: bool,
    /// The programs that wrote them.
    pub programs: Vec<String>,
}

/// Redirects the connections of a pod by rules, or replaces rules of ours that are there. Each table changes at one
/// instant.
///
/// Refused for a pod that is enrolled at `node`, and for one with rules that Istio wrote. `node` is `None` where no
/// pod can be enrolled, because there is no BPF file system.
pub fn apply(netns: &Netns, wanted: &Wanted, node: Option<&Node>, wait: Duration) -> Result<Applied, EnrollError> {
    let config = wanted.config();
    expect_plain_names(config)?;
    let ipv6 = facts::read(netns)?.ipv6_enabled(config.interfaces.dual_stack)?;
    let _lock = NetnsLock::take(netns, wait)?;
    let had_rules = expect_unused(netns, node)?;
    let Rendered { v4, v6 } = render::iptables(config, ipv6);
    let binary = config.run.force_iptables_binary;
    let mut families = vec![Change::draw(Tools::find(netns, Family::V4).choose(binary)?, &v4)?];
    let tools = Tools::find(netns, Family::V6);
    if let Some(v6) = v6 {
        families.push(Change::draw(tools.choose(binary)?, &v6)?);
    } else if had_rules && let Some(tool) = tools.of_ours() {
        families.push(Change::draw(tool, "")?); // they are of an earlier configuration
    }
    for (at, change) in families.iter().enumerate() {
        change.carry_out().map_err(|error| take_back(&families[..=at], error))?;
    }
    prepare(netns, config, ipv6).map_err(|error| take_back(&families, error))?;
    let mut changed = false;
    for change in &families {
        changed |= change.tool.save()? != change.before;
    }
    Ok(Applied {
        changed,
        programs: families.iter().map(|change| change.tool.to_string()).collect(),
    })
}

/// Whether there are programs to write rules with, for somebody who has to know before there is a pod.
pub fn installed() -> Result<(), EnrollError> {
    tools::installed()
}

/// Takes the rules of ours away. Returns whether there were any. Connections that are established stay as they are.
pub fn remove(netns: &Netns, wait: Duration) -> Result<bool, EnrollError> {
    // Most pods have none, and no program has to run to find out.
    if istio_rules::found(netns)?.is_none_or(|rules| !rules.ours) {
        return Ok(false);
    }
    let _lock = NetnsLock::take(netns, wait)?;
    let mut failed = Vec::new();
    for family in [Family::V4, Family::V6] {
        for tool in Tools::find(netns, family).all() {
            let removed = tool.save().and_then(|saved| tool.restore(&saved.removal()));
            failed.extend(removed.err().map(|error| format!("{error:#}")));
        }
    }
    // An iptables that does not work here is of no importance, if another one has removed everything.
    if istio_rules::found(netns)?.is_none() {
        return Ok(true);
    }
    failed.push("rules are left in the pod".to_owned());
    Err(EnrollError::NoIptables { reason: failed.join("; ") })
}

/// The rules as a dry run shows them.
pub fn plan(netns: &Netns, wanted: &Wanted) -> Result<Rendered, EnrollError> {
    let config = wanted.config();
    expect_plain_names(config)?;
    let ipv6 = facts::read(netns)?.ipv6_enabled(config.interfaces.dual_stack)?;
    Ok(render::iptables(config, ipv6))
}

/// Returns whether there are rules of ours.
fn expect_unused(netns: &Netns, node: Option<&Node>) -> Result<bool, EnrollError> {
    let name = || netns.name().to_owned();
    if node.map(|node| node.is_pinned(netns.cookie())).transpose()? == Some(true) {
        return Err(EnrollError::OtherDataPath { name: name(), data_path: "eBPF" });
    }
    match istio_rules::found(netns)? {
        Some(rules) if !rules.ours => Err(EnrollError::OtherRules { name: name(), filter: rules.filter }),
        rules => Ok(rules.is_some()),
    }
}

/// Names of interfaces are the only texts in rules. What else the kernel takes for a name could be read as another
/// rule.
fn expect_plain_names(config: &IstioConfig) -> Result<(), ConfigError> {
    let is_plain =
        |name: &str| !name.starts_with('-') && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-+@".contains(c));
    match config.interfaces.excluded.iter().find(|name| !is_plain(name)) {
        None => Ok(()),
        Some(name) => Err(ConfigError::NotAValue {
            setting: Setting::ExcludeInterfaces,
            value: name.clone(),
            wanted: "names of letters, digits, `_`, `.`, `-`, `@` and `+`, because rules of iptables are written",
        }),
    }
}

/// What Istio sets up besides rules. It stays when the rules go, for the connections that still use it.
fn prepare(netns: &Netns, config: &IstioConfig, ipv6: bool) -> Result<()> {
    if ipv6 {
        ipv6::add_passthrough(netns)?;
    }
    if config.inbound.mode == InterceptionMode::Tproxy {
        MarkedRouting::of_rules(config.tproxy, ipv6).route_marked(netns)?;
    }
    Ok(())
}

/// What is to become of the rules of one family.
struct Change<'a> {
    tool: Tool<'a>,
    commands: String,
    before: Tables,
    /// The same, as text.
    saved: String,
}

impl<'a> Change<'a> {
    fn draw(tool: Tool<'a>, wanted: &str) -> Result<Self> {
        let saved = tool.saved()?;
        let before = Tables::parse(&saved);
        let commands = before.replaced_by(&Tables::parse(wanted));
        Ok(Self { tool, commands, before, saved })
    }

    fn carry_out(&self) -> Result<()> {
        self.tool.restore(&self.commands)
    }

    /// Makes the rules what they were.
    fn take_back(&self) -> Result<()> {
        let now = self.tool.save()?;
        if now == self.before {
            return Ok(()); // nothing was done
        }
        self.tool.reset(&self.saved)?;
        self.tool.restore(&now.not_in(&self.before).removal())
    }
}

fn take_back(done: &[Change<'_>], error: anyhow::Error) -> anyhow::Error {
    for change in done.iter().rev() {
        if let Err(failed) = change.take_back() {
            return anyhow!("{failed:#}").context(format!(
                "{error:#}. Rules of the pod could not be taken back either, so some of its connections are redirected"
            ));
        }
    }
    error
}
