// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The flags of istio-iptables, and no rules.

use testkit::Pod;

use crate::{
    rules,
    sidecar::Sidecar,
    stage::{Stage, netns},
    status::{Counters, counters},
    tell::{Tell, typed},
};

/// What Istio passes by default.
const FLAGS: [&str; 12] = ["-p", "15001", "-z", "15006", "-u", "1337", "-i", "*", "-b", "*", "-d", "15090,15021,15020"];

/// One in each pod.
pub(crate) struct Sidecars {
    pub(crate) client: Sidecar,
    pub(crate) web: Sidecar,
}

pub(super) fn enroll(tell: &mut Tell, stage: &Stage<'_>) -> anyhow::Result<Sidecars> {
    tell.step("Interceptor takes over, with the flags of istio-iptables and without its rules")?;
    tell.say(format_args!(
        "What it sets up is pinned to a BPF file system of this demo's own: each `interceptor` line also has \
         `--bpffs {}`.",
        stage.node.bpffs().display()
    ))?;
    for (name, pod) in [("client", &stage.client), ("web", &stage.web)] {
        enroll_one(tell, stage, pod)?;
        tell.holds(
            format!("the pod {name} is enrolled, and has counted nothing"),
            &counters(stage.node, pod)?,
            &Counters::new(),
        )?;
        rules::none(tell, pod, name)?;
    }
    Ok(Sidecars { client: stage.client_sidecar(tell)?, web: stage.web_sidecar(tell)? })
}

fn enroll_one(tell: &Tell, stage: &Stage<'_>, pod: &Pod<'_>) -> anyhow::Result<()> {
    let (netns, cgroup) = (netns(pod), pod.namespace().cgroup().display().to_string());
    let words = [&["pod", "--netns", &netns, "--cgroup", &cgroup][..], &FLAGS].concat();
    let run = stage.node.run(&words);
    let last = run.stdout.lines().next_back().unwrap_or_default();
    tell.command(
        "node, root",
        &typed(&[&["interceptor"], words.as_slice()].concat()),
        &format!("… (its configuration)\n{last}"),
    )?;
    anyhow::ensure!(run.code == Some(0), "this failed: {run}");
    Ok(())
}
