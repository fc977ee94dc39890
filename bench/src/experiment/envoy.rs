// SPDX-License-Identifier: Apache-2.0 OR MIT
//! HTTP from one pod to another through the Envoys of both. There is no TLS between them.

use anyhow::Context as _;
use testkit::{
    Backend, Node,
    envoy::{Binary, Family, Mesh, Variant as Of},
    istio_rules::DEFAULT_FLAGS,
    scene::Stack,
};

use super::{
    lab::{Lab, durations},
    outcome::{Better, Outcome, Unit},
    plan::{Contender, Plan},
};
use crate::{
    stage::{Caller, Unavailable, Variant},
    worker::Work,
};

/// Two pods, and the application of the first.
struct Chain<'node> {
    caller: Caller,
    _mesh: Mesh<'node>,
}

pub(super) fn run(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    let envoy = lab.envoy.clone().context("an Envoy is needed for this: --envoy PATH")?;
    lab.begin("starting Envoys");
    let node = Node::new();
    let of = Of { envoy: Binary::at(envoy), stack: Stack::V4 };
    let variants = [Variant::IptablesLegacy, Variant::Ebpf, Variant::EbpfAccelerated];
    let mut chains = variants.map(|variant| (variant, Chain::new(lab, &node, &of, variant)));
    let to = Family::at(Family::V4.service, 80)
        .parse()
        .context("the address of the service")?;
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

impl<'node> Chain<'node> {
    fn new(lab: &Lab<'_>, node: &'node Node, of: &Of, variant: Variant) -> Result<Self, Unavailable> {
        let backend = if variant == Variant::IptablesLegacy {
            Backend::Iptables
        } else {
            Backend::Ebpf
        };
        let mesh = Mesh::new(node, &variant.name().replace('+', "-"), of, backend);
        if variant == Variant::EbpfAccelerated {
            for pod in [&mesh.client, &mesh.server] {
                Unavailable::unless(&pod.try_enroll(&[DEFAULT_FLAGS, &["--accelerate"]].concat()))?;
            }
        }
        Ok(Self { caller: Caller::start(&mesh.client, lab.cpus), _mesh: mesh })
    }
}
