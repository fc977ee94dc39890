// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `--data-path`: by what the connections of a pod are redirected, and rules of iptables in place of an enrollment.

use std::path::Path;

use anyhow::Result;
use interceptor_config::{DataPath, render::Rendered};

use super::{node_args::NodeArgs, output, pods::RunDirFlag};
use crate::{
    EnrollError, Fitness, Netns, Node, Wanted, iptables, namespaces,
    records::{Record, RulesRecord},
};

/// By what a pod's connections are redirected, once that is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    Programs,
    Rules,
}

/// Decides. Where this machine decides, the reason is printed.
pub(super) fn choose(wanted: Wanted, node: &NodeArgs) -> Result<(Chosen, Wanted), EnrollError> {
    match wanted.config().data_path {
        DataPath::Ebpf => return Ok((Chosen::Programs, wanted)),
        DataPath::Iptables => return Ok((Chosen::Rules, wanted)),
        DataPath::Auto => {}
    }
    // Where pods are enrolled, others can be.
    if let Some(node) = opened(node)?
        && !node.enrollments()?.is_empty()
    {
        return Ok((Chosen::Programs, wanted));
    }
    // What could not be told is left to the attempt.
    let Fitness::Lacking(why) = Fitness::of(node.bpffs()) else {
        return Ok((Chosen::Programs, wanted));
    };
    tracing::warn!("The pod gets rules of iptables, because this machine lacks what kernel programs need: {why}");
    let wanted = wanted.by_iptables();
    for note in wanted.notes() {
        tracing::warn!("{note}");
    }
    Ok((Chosen::Rules, wanted))
}

/// Redirects the connections of a pod by rules. A dry run returns the rules instead.
pub(super) fn apply(netns: &Netns, wanted: &Wanted, node: &NodeArgs, run_dir: &RunDirFlag) -> Result<()> {
    let applied = iptables::apply(netns, wanted, opened(node)?.as_ref(), node.wait())?;
    let (netns_name, programs) = (netns.name(), applied.programs.join(", "));
    if applied.changed {
        tracing::info!(netns = netns_name, programs, "The pod has rules of iptables");
    } else {
        tracing::info!(netns = netns_name, "The pod has these rules of iptables; nothing to do");
    }
    let noted = run_dir
        .rules()
        .and_then(|rules| rules.write(&RulesRecord::new(netns, applied.programs)));
    if let Err(error) = noted {
        tracing::warn!("`interceptor status` will not show this pod (--run-dir): {error:#}");
    }
    Ok(())
}

/// What a dry run prints.
pub(super) fn plan(netns: &Netns, wanted: &Wanted) -> Result<String, EnrollError> {
    let Rendered { v4, v6 } = iptables::plan(netns, wanted)?;
    let v6 = v6
        .map(|v6| format!("\nWrite these rules by ip6tables-restore:\n{v6}"))
        .unwrap_or_default();
    Ok(format!("Write these rules by iptables-restore:\n{v4}{v6}")
        .trim_end()
        .to_owned())
}

/// Ends the interception of a pod, by whatever it is. Returns whether there was any.
pub(super) fn unenroll(netns: &Netns, node: &NodeArgs, run_dir: &RunDirFlag) -> Result<bool> {
    let had_rules = iptables::remove(netns, node.wait())?;
    if had_rules {
        forget(run_dir, netns.cookie());
    }
    match node.open() {
        Err(EnrollError::NotBpffs { .. } | EnrollError::NoSuchDirectory { .. }) if had_rules => Ok(true),
        opened => {
            let existed = opened?.unenroll(netns, node.wait())? | had_rules;
            run_dir.forget(|record| record.is_of(netns.cookie(), netns.inode()));
            Ok(existed)
        }
    }
}

/// Removes the rules of all pods that are noted, or of those that are meant. Returns whether there were any.
pub(super) fn remove_noted(
    node: &NodeArgs,
    run_dir: &RunDirFlag,
    is_meant: impl Fn(&RulesRecord) -> bool,
) -> Result<bool> {
    let mut existed = false;
    for noted in run_dir.read_rules()?.iter().filter(|noted| is_meant(noted)) {
        match visible(noted) {
            Some(netns) => existed |= iptables::remove(&netns, node.wait())?,
            None => output::warning(format_args!(
                "The rules in {} are not removed: net:[{}] is gone, or not visible from here",
                noted.netns, noted.netns_inode
            )),
        }
        forget(run_dir, noted.netns_cookie);
    }
    Ok(existed)
}

/// Whether the rules are those of the pod that has one of these records.
pub(super) fn is_of(noted: &RulesRecord, records: &[Record]) -> bool {
    records.iter().any(|record| record.is_of(noted.netns_cookie, noted.netns_inode))
}

/// The network namespace of a note.
pub(super) fn visible(noted: &RulesRecord) -> Option<Netns> {
    let named = Some(Path::new(&noted.netns)).filter(|path| path.is_absolute());
    namespaces::find(noted.netns_cookie, noted.netns_inode, named, namespaces::processes())
}

/// The node, if pods can be enrolled there.
fn opened(node: &NodeArgs) -> Result<Option<Node>, EnrollError> {
    match node.open() {
        Ok(node) => Ok(Some(node)),
        Err(EnrollError::NotBpffs { .. } | EnrollError::NoSuchDirectory { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A note that stays is no harm: `status` looks whether there are rules.
fn forget(run_dir: &RunDirFlag, netns_cookie: u64) {
    let forgotten = run_dir.rules().and_then(|rules| rules.remove(&netns_cookie.to_string()));
    if let Err(error) = forgotten {
        output::warning(format_args!("{error:#}"));
    }
}
