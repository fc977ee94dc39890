// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Two pods with the same addresses and the same surroundings: one with the rules of Istio, one enrolled with
//! `interceptor`.

use std::{
    collections::BTreeSet,
    fs,
    net::IpAddr,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    network,
    outcome::{Difference, Outcome},
    reasons::Reasons,
    seen::{Judged, Seen},
    twin::{AGENT_PORT, Twin},
};
use crate::{
    Scratch, Stack,
    flow::Flow,
    istio::{Config, Tools},
    scratch::run,
};
use anyhow::Context as _;

/// How one flow went.
struct Looked {
    outcome: Outcome,
    /// Whether a call came to its limit on either side.
    timed_out: bool,
}

/// Both pods, for one choice of addresses.
pub(super) struct Twins<'scratch> {
    scratch: &'scratch Scratch,
    tools: Tools,
    theirs: Twin,
    ours: Twin,
    reasons: Option<Reasons>,
    next_port: u16,
}

impl<'scratch> Twins<'scratch> {
    pub(super) fn new(scratch: &'scratch Scratch, tools: Tools, stack: Stack) -> anyhow::Result<Self> {
        load_connection_tracking();
        let twin = |side: &str| Twin::new(scratch, &format!("{side}-{stack}"), stack);
        let (theirs, ours) = (twin("theirs")?, twin("ours")?);
        if stack.has_v6() {
            theirs.pod.ip("addr add ::6/128 dev lo")?;
        }
        Ok(Self { scratch, tools, theirs, ours, reasons: None, next_port: 20_000 })
    }

    /// Makes in both pods what these flows need: addresses outside, and servers on their ports.
    pub(super) fn reach(&mut self, config: &Config, flows: &[Flow]) -> anyhow::Result<()> {
        let addresses: BTreeSet<IpAddr> = flows.iter().flat_map(Flow::destinations).map(|to| to.ip()).collect();
        let foreign: Vec<IpAddr> = addresses
            .into_iter()
            .filter(|address| network::is_elsewhere(*address))
            .collect();
        let ports = |inbound| -> BTreeSet<u16> {
            let flows = flows.iter().filter(|flow| flow.inbound == inbound && !flow.how.is_udp());
            flows.map(|flow| flow.to.port()).filter(|port| *port > 0).collect()
        };
        let (mut to_pod, outside) = (ports(true), ports(false));
        to_pod.retain(|port| !is_sidecars(config, *port));
        for twin in [&mut self.theirs, &mut self.ours] {
            network::reach(&twin.pod, &twin.outside, &foreign)?;
            twin.serve_more(&to_pod, &outside)?;
        }
        Ok(())
    }

    /// Puts `config` in force on both sides.
    pub(super) fn configure(&mut self, config: &Config) -> anyhow::Result<()> {
        for twin in [&mut self.theirs, &mut self.ours] {
            twin.set_late(false)?;
        }
        let theirs = &self.theirs.pod;
        self.tools
            .load(&|program| theirs.command(program), config, self.scratch.patience())?;
        self.enroll(config)?;
        for twin in [&mut self.theirs, &mut self.ours] {
            twin.set_late(true)?;
            twin.start_sidecar(config)?;
            twin.settle()?;
        }
        self.reasons = Some(Reasons::open(&self.scratch.bpffs(), &self.ours.pod)?);
        Ok(())
    }

    /// By the command that users have, whose flags are read as well.
    fn enroll(&self, config: &Config) -> anyhow::Result<()> {
        let resolv_conf = self.scratch.files().join("resolv.conf");
        fs::write(&resolv_conf, config.resolv_conf()).with_context(|| format!("write {}", resolv_conf.display()))?;
        let mut command = Command::new(&self.scratch.programs().interceptor);
        // Of this process's own environment, nothing is to be taken for a setting.
        command.env_clear().envs(&config.environment);
        command.arg("istio-iptables").args(config.arguments());
        command.arg("--netns").arg(self.ours.pod.netns());
        command.arg("--cgroup").arg(self.ours.pod.cgroup());
        command.arg("--resolv-conf").arg(&resolv_conf);
        command.arg("--bpffs").arg(self.scratch.bpffs());
        run(command, "", self.scratch.patience()).context("enroll the pod").map(drop)
    }

    /// Carries out a flow on both sides, and says whether and in what it differs.
    pub(super) fn compare(&mut self, config: &Config, flow: &Flow) -> anyhow::Result<Outcome> {
        let mut looked = self.look(config, flow, short_limit(self.scratch.patience()))?;
        if looked.timed_out && matches!(looked.outcome, Outcome::Differs(_)) {
            looked = self.look(config, flow, long_limit(self.scratch.patience()))?;
        }
        Ok(looked.outcome)
    }

    fn look(&mut self, config: &Config, flow: &Flow, limit: Duration) -> anyhow::Result<Looked> {
        self.next_port = if self.next_port >= 32_000 { 20_000 } else { self.next_port + 1 };
        let reasons = self.reasons.as_ref().context("no configuration is in force")?;
        let before = reasons.counted()?;
        let carried_out = flow.at(self.next_port);
        self.theirs.ask(&carried_out, self.next_port, limit)?;
        self.ours.ask(&carried_out, self.next_port, limit)?;
        let theirs = Seen::new(&carried_out, &self.theirs.answer(&carried_out)?)?;
        let ours = Seen::new(&carried_out, &self.ours.answer(&carried_out)?)?;
        let timed_out = theirs.timed_out() || ours.timed_out();
        let reason = reasons.compare(&carried_out, &before, &reasons.counted()?, &ours);
        let judged = theirs.judge(&ours, flow);
        let outcome = match judged {
            Judged::Same if reason.is_none() => Outcome::Same,
            Judged::Listed(listed) if reason.is_none() => Outcome::Listed(listed),
            Judged::Same | Judged::Listed(_) | Judged::Differs => {
                let seen = (judged == Judged::Differs).then_some([theirs, ours]);
                let difference = Difference { config: config.clone(), flow: flow.clone(), seen, reason };
                Outcome::Differs(Box::new(difference))
            }
        };
        Ok(Looked { outcome, timed_out })
    }
}

/// Whether the sidecar listens there.
fn is_sidecars(config: &Config, port: u16) -> bool {
    port == AGENT_PORT || "pz".chars().any(|letter| config.flag(letter).parse() == Ok(port))
}

/// Its settings are there from when it is, and not only from the first rule on. Where there is no `modprobe`, the first
/// rule loads it.
fn load_connection_tracking() {
    if !Path::new("/proc/sys/net/netfilter/nf_conntrack_udp_timeout").exists() {
        let mut modprobe = Command::new("modprobe");
        modprobe
            .arg("nf_conntrack")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        modprobe.status().map(drop).unwrap_or_default();
    }
}

/// How long a call may take at first. Both ends are on this machine, and many flows of the lists get no answer at
/// all.
fn short_limit(patience: Duration) -> Duration {
    patience / 100
}

/// How long it may take where the short limit has made a difference, which a busy machine can be the reason of.
fn long_limit(patience: Duration) -> Duration {
    patience / 10
}
