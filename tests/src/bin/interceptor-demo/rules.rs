// SPDX-License-Identifier: Apache-2.0 OR MIT
//! That nobody has written a packet filter rule.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use testkit::{Pod, Run};

use crate::tell::{Tell, typed};

/// Whoever lists rules; a machine has those of them that somebody has installed.
const LISTS: [&[&str]; 5] = [
    &["iptables-legacy-save"],
    &["ip6tables-legacy-save"],
    &["iptables-nft-save"],
    &["ip6tables-nft-save"],
    &["nft", "list", "ruleset"],
];

pub(crate) fn none(tell: &mut Tell, pod: &Pod<'_>, name: &str) -> anyhow::Result<()> {
    none_by(tell, name, |program| {
        pod.namespace().root().command(&program.display().to_string())
    })
}

/// `in_pod` makes the command that runs a program in the pod's network namespace, as root.
pub(crate) fn none_by(tell: &mut Tell, name: &str, in_pod: impl Fn(&Path) -> Command) -> anyhow::Result<()> {
    let mut answered = 0;
    let mut rules = Vec::new();
    for line in LISTS {
        let Some(program) = find(line[0]) else { continue };
        let mut command = in_pod(&program);
        command.args(&line[1..]);
        let run = Run::of(command);
        tell.command(&format!("pod {name}, root"), &typed(line), &run.output())?;
        // One fails where the kernel has nothing to keep its rules in.
        if run.code == Some(0) {
            answered += 1;
            rules.extend(
                run.stdout
                    .lines()
                    .map(str::trim)
                    .filter(|line| is_rule(line))
                    .map(str::to_owned),
            );
        }
    }
    anyhow::ensure!(answered > 0, "none of these could list the rules of the pod {name}: {LISTS:?}");
    tell.holds(
        format!("there is no rule of iptables or nft in the pod {name}"),
        &rules,
        &Vec::new(),
    )
}

/// Comments, and chains without rules, do nothing.
fn is_rule(line: &str) -> bool {
    let does_nothing = ["#", "*", ":", "COMMIT"].iter().any(|start| line.starts_with(start));
    !line.is_empty() && !does_nothing
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
