// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask mutants`: shows whether a comparison with iptables finds a wrong decision. The kernel programs of a
//! test build make one of several, each of which leaves one of Istio's rules out or asks two in the wrong order.

use std::fmt;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::programs::{build, host_cargo};
use crate::run::{exec, say};
use crate::user::require_root;
use crate::workspace::Workspace;

/// As `interceptor_policy::mutants` numbers them; zero is none.
const LAST: u32 = 15;

/// Every mutant leaves out something that these name.
const FLAGS: &[&str] = &[
    "-u",
    "1337",
    "-g",
    "1338",
    "-i",
    "10.50.0.0/16",
    "-x",
    "10.50.1.0/24",
    "-q",
    "443",
    "-o",
    "9000",
    "-b",
    "*",
    "-d",
    "15020,8081",
    "--redirect-dns",
];
/// The same of what has no flag.
const VARIABLE: (&str, &str) = ("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", "2000");
/// The DNS server of the pod.
const SERVER: &str = "nameserver 203.0.113.9\n";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Random connections to try with each, after the written ones
    #[arg(long, value_name = "N", default_value_t = 200)]
    cases: u32,
    /// Seed of the random connections
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

/// How many connections differ.
#[derive(Default)]
struct Found {
    written: Count,
    random: Count,
}

/// The kernel programs also count the reason of each decision, which is compared as well.
#[derive(Default)]
struct Count {
    all: usize,
    /// In what clients and servers see.
    seen: usize,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    require_root("the comparison", "mutants")?;
    let folder = Workspace::load()?.target_dir.join("mutants");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let loader = build_mutants(&folder)?;
    let verify = build(&[])?.join("interceptor-verify");
    fs::write(folder.join("resolv.conf"), SERVER).context("cannot write resolv.conf")?;
    let (mut unfound, mut by_written, mut by_random) = (Vec::new(), Count::default(), Count::default());
    for mutant in 0..=LAST {
        let found = try_one(options, &folder, &loader, &verify, mutant)?;
        let Found { written, random } = found;
        say(&format!(
            "mutant {mutant:>2}: {written} written and {random} random connections differ"
        ));
        if (written.seen + random.seen > 0) != (mutant > 0) {
            unfound.push(mutant);
        }
        by_written.note(&written);
        by_random.note(&random);
    }
    say(&format!(
        "of {LAST} mutants, {by_written} are found by the written connections alone, and {by_random} by {} random ones",
        options.cases
    ));
    if !unfound.is_empty() {
        bail!("not found, or found where there is none: {unfound:?}");
    }
    Ok(())
}

/// The loader with the kernel programs that decide wrongly.
fn build_mutants(folder: &Path) -> Result<PathBuf> {
    exec(host_cargo("build").args(["--bin", "interceptor", "--features", "interceptor/mutants"]))?;
    let loader = folder.join("interceptor-mutants");
    let built = Workspace::load()?.target_dir.join("debug/interceptor");
    fs::copy(&built, &loader).with_context(|| format!("cannot copy {}", built.display()))?;
    Ok(loader)
}

fn try_one(options: &Options, folder: &Path, loader: &Path, verify: &Path, mutant: u32) -> Result<Found> {
    let script = folder.join(format!("mutant-{mutant}"));
    let text = format!("#!/bin/sh\nINTERCEPTOR_MUTANT={mutant} exec {} \"$@\"\n", loader.display());
    fs::write(&script, text).with_context(|| format!("cannot write {}", script.display()))?;
    fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    let report = folder.join(format!("mutant-{mutant}.json"));
    let mut command = Command::new(verify);
    command.env(VARIABLE.0, VARIABLE.1).args(FLAGS);
    command.arg("--resolv-conf").arg(folder.join("resolv.conf"));
    command.arg("--interceptor").arg(&script).arg("--report").arg(&report);
    command.args(["--backend", "nft", "--cases", &options.cases.to_string(), "--seed", &options.seed.to_string()]);
    let ended = command.output().context("cannot start interceptor-verify")?;
    if !matches!(ended.status.code(), Some(0 | 3)) {
        bail!("mutant {mutant}: {}: {}", ended.status, String::from_utf8_lossy(&ended.stderr));
    }
    let text = fs::read(&report).with_context(|| format!("cannot read {}", report.display()))?;
    let report: Value = serde_json::from_slice(&text).context("cannot read the report")?;
    let comparisons = report["comparisons"].as_array().into_iter().flatten();
    let mut found = Found::default();
    for difference in comparisons.flat_map(|comparison| comparison["differences"].as_array().into_iter().flatten()) {
        let count = if difference["origin"] == "written" {
            &mut found.written
        } else {
            &mut found.random
        };
        count.all += 1;
        count.seen += usize::from(!difference["seen"].is_null());
    }
    Ok(found)
}

impl Count {
    /// Counts a mutant that was found.
    fn note(&mut self, found: &Self) {
        self.all += usize::from(found.all > 0);
        self.seen += usize::from(found.seen > 0);
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:>3} ({:>3} by what anyone can see)", self.all, self.seen)
    }
}
