// SPDX-License-Identifier: Apache-2.0 OR MIT
//! HTTP from one pod to another through the Envoys of both. There is no TLS between them.

use std::{net::SocketAddrV4, path::PathBuf, time::Duration};

use anyhow::Context as _;
use testkit::{
    Node,
    envoy::{Binary, Case, Family, Mesh, Mode, Start, Variant as Of},
    scene::Stack,
};

use super::{
    lab::{Lab, durations},
    outcome::{Better, Outcome, Unit},
    plan::{Contender, Plan},
};
use crate::{
    stage::{Caller, Unavailable, Variant},
    worker::{Work, time_of_cgroup},
};

/// Those with a pod for each end.
const VARIANTS: [Variant; 4] = [Variant::IptablesLegacy, Variant::IptablesNft, Variant::Ebpf, Variant::EbpfAccelerated];

/// Two pods, and the application of the first.
pub(super) struct Chain<'node> {
    pub(super) caller: Caller,
    /// Of both pods.
    cgroups: [PathBuf; 2],
    _mesh: Mesh<'node>,
}

pub(super) fn run(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    lab.begin("starting Envoys");
    let node = Node::new();
    let mut chains = chains(lab, &node);
    let to = service()?;
    let count = lab.effort.pick(150, 600);
    let ways = [
        ("envoy-keep-alive", "HTTP through two Envoys, one connection", true),
        ("envoy-close", "HTTP through two Envoys, a connection each", false),
    ];
    let mut outcomes = Vec::new();
    for (name, title, keep_alive) in ways {
        let contenders = chains.iter_mut().map(|(variant, chain)| match chain {
            Ok(Chain { caller, .. }) => Contender::new(variant.name(), move || {
                Ok(durations(&caller.turn(Work::Pages { to, count, keep_alive })))
            }),
            Err(why) => Contender::unavailable(variant.name(), why.clone()),
        });
        let contenders = contenders.collect();
        let (name, title) = (name.to_owned(), title.to_owned());
        outcomes.push(lab.run(Plan { name, title, unit: Unit::Nanoseconds, better: Better::Less, contenders })?);
    }
    Ok(outcomes)
}

/// A pair of pods for each variant, with the Envoy that was named, or that of the tests.
pub(super) fn chains<'node>(
    lab: &Lab<'_>,
    node: &'node Node,
) -> [(Variant, Result<Chain<'node>, Unavailable>); VARIANTS.len()] {
    let envoy = lab.envoy.clone().map_or_else(Binary::newest, Binary::at);
    let of = Of { envoy, stack: Stack::V4 };
    VARIANTS.map(|variant| (variant, Chain::new(lab, node, &of, variant)))
}

/// What the application dials. It leads to the other pod.
pub(super) fn service() -> anyhow::Result<SocketAddrV4> {
    Family::at(Family::V4.service, 80).parse().context("the address of the service")
}

impl<'node> Chain<'node> {
    fn new(lab: &Lab<'_>, node: &'node Node, of: &Of, variant: Variant) -> Result<Self, Unavailable> {
        let case = Case { variant: of.clone(), mode: Mode::Redirect, accelerate: false };
        let mut installed = Ok(());
        let name = variant.name().replace('+', "-");
        let mesh = Mesh::intercepted_by(node, &name, case, Start::Alone, |pod| {
            if installed.is_ok() {
                installed = variant.install(pod, Stack::V4, &[]);
            }
        });
        installed?;
        let caller = Caller::start(&mesh.client, lab.cpus);
        let cgroups = [&mesh.client, &mesh.server].map(|pod| pod.namespace().cgroup().to_owned());
        Ok(Self { caller, cgroups, _mesh: mesh })
    }

    /// What all processes of both pods have used so far.
    pub(super) fn processor_time(&self) -> anyhow::Result<Duration> {
        self.cgroups.iter().map(|cgroup| time_of_cgroup(cgroup)).sum()
    }
}
