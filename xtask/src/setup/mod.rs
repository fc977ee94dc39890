// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask setup`: finds what building and testing need, and installs what is missing where that is possible.
//!
//! `facts` looks at the machine, `plan` says what is missing and which commands would install it, and this file runs
//! them.

mod envoy;
mod facts;
mod helm;
mod kubernetes;
mod linker;
mod method;
mod needed;
mod plan;
mod promtool;
mod system;

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use facts::Facts;
use method::InstallMethod;
use needed::{ITEMS, Item};

pub(crate) use helm::Helm;
pub(crate) use needed::Purpose;

use crate::run::{say, shell};
use crate::suite::Suite;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Say what would be installed, and how, but install nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Install nothing, and fail when something is missing
    #[arg(long)]
    pub(crate) no_install: bool,
    /// Also what compiling for arm64 and booting its kernels needs
    #[arg(long)]
    arm64: bool,
    #[command(flatten)]
    suites: Suites,
}

/// The suites whose programs are wanted, too.
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Suites {
    /// Also what the suite with real Envoys needs
    #[arg(long)]
    envoy: bool,
    /// Also what the suite with ordinary clients needs
    #[arg(long)]
    clients: bool,
    /// Also what the suite with DNS resolvers needs
    #[arg(long)]
    resolvers: bool,
    /// Also what rendering the Helm chart needs
    #[arg(long)]
    chart: bool,
    /// Also what the suite with a Kubernetes node needs
    #[arg(long)]
    cluster: bool,
    /// Also what booting other kernels needs
    #[arg(long)]
    kernels: bool,
}

impl Options {
    /// What `cargo xtask COMMAND [--no-install]` needs.
    pub(crate) fn of_command(no_install: bool, suites: &[Suite]) -> Self {
        let wanted = |suite: Suite| suites.contains(&suite);
        let suites = Suites {
            envoy: wanted(Suite::Envoy),
            clients: wanted(Suite::Clients),
            resolvers: wanted(Suite::Resolvers),
            chart: wanted(Suite::Chart),
            cluster: wanted(Suite::Cluster),
            kernels: wanted(Suite::Kernels),
        };
        Self { dry_run: false, no_install, arm64: false, suites }
    }

    /// For machines of arm64, too.
    pub(crate) fn and_arm64(self) -> Self {
        Self { arm64: true, ..self }
    }

    fn wants(&self, item: &Item) -> bool {
        match item.purpose {
            Purpose::Build | Purpose::Lint | Purpose::Test => true,
            Purpose::Arm64 => self.arm64,
            // Pods of the node have one as their sidecar.
            Purpose::Suite(Suite::Envoy) => self.suites.envoy || self.suites.cluster,
            Purpose::Suite(Suite::Clients) => self.suites.clients,
            Purpose::Suite(Suite::Resolvers) => self.suites.resolvers,
            Purpose::Suite(Suite::Chart) => self.suites.chart || self.suites.cluster,
            Purpose::Suite(Suite::Cluster) => self.suites.cluster,
            Purpose::Suite(Suite::Kernels) => self.suites.kernels,
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut facts = Facts::gather()?;
    let mut missing = Vec::new();
    let mut ran = Vec::new();
    for item in ITEMS.iter().filter(|item| options.wants(item)) {
        if let Some(found) = item.found(&facts) {
            say(&format!("{:<15} found: {found}", item.name));
            continue;
        }
        say(&format!(
            "{:<15} missing: {}; needed {}",
            item.name,
            item.lack(&facts),
            item.why
        ));
        let methods = item.methods(&facts);
        if options.dry_run && methods.iter().any(|method| method.automatic) {
            say("  would install it, trying these methods in turn:");
            methods.iter().filter(|method| method.automatic).for_each(show);
        } else if options.dry_run || options.no_install || !install(item, &methods, &mut facts, &mut ran)? {
            missing.push((item, methods));
        }
    }
    report(&missing, options.no_install)
}

/// Fails when something that `purpose` needs is missing, and installs nothing.
pub(crate) fn check(purpose: Purpose) -> Result<()> {
    let facts = Facts::gather()?;
    let needed = ITEMS.iter().filter(|item| purpose.includes(item.purpose));
    let missing: Vec<_> = needed.filter(|item| item.found(&facts).is_none()).collect();
    if let [first, ..] = missing.as_slice() {
        bail!(
            "missing: {} ({}). Run `{}`",
            names(&missing),
            first.lack(&facts),
            purpose.setup()
        );
    }
    Ok(())
}

/// Tries one method after the other until the item is there. `ran` holds preparations that have succeeded: package
/// lists are updated once.
fn install(item: &Item, methods: &[InstallMethod], facts: &mut Facts, ran: &mut Vec<String>) -> Result<bool> {
    for method in methods.iter().filter(|method| method.automatic) {
        for line in &method.commands {
            if ran.contains(line) {
                continue;
            }
            match shell(line) {
                Ok(()) if plan::is_preparation(line) => ran.push(line.clone()),
                Ok(()) => {}
                // One source of packages that does not answer says nothing about the others.
                Err(error) if plan::is_preparation(line) => {
                    say(&format!("{:<15} {error:#}; going on without", item.name));
                }
                Err(error) => {
                    say(&format!("{:<15} {error:#}", item.name));
                    break;
                }
            }
        }
        *facts = Facts::gather()?;
        if let Some(found) = item.found(facts) {
            say(&format!("{:<15} installed: {found}", item.name));
            return Ok(true);
        }
    }
    Ok(false)
}

fn report(missing: &[(&Item, Vec<InstallMethod>)], may_install: bool) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    for (item, methods) in missing {
        say(&format!("\nto get {}:", item.name));
        methods.iter().for_each(show);
        if methods.is_empty() {
            say(&format!("    {}", item.advice()));
        }
    }
    let items: Vec<_> = missing.iter().map(|(item, _)| *item).collect();
    let reason = if may_install {
        "and nothing may be installed (--no-install)"
    } else {
        "and cannot be installed from here"
    };
    let suites: BTreeSet<Suite> = items.iter().filter_map(|item| item.suite()).collect();
    for suite in suites.into_iter().map(Suite::name) {
        say(&format!(
            "\nthe suite {suite} cannot run without that; leave it out with `cargo xtask test --without {suite}`"
        ));
    }
    bail!(
        "still missing: {}, {reason}. Use one of the methods above for each, then run this again",
        names(&items)
    );
}

fn show(method: &InstallMethod) {
    say(&format!("  {}:", method.name));
    for line in &method.commands {
        say(&format!("    {line}"));
    }
}

fn names(items: &[&Item]) -> String {
    items.iter().map(|item| item.name).collect::<Vec<_>>().join(", ")
}
