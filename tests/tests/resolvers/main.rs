// SPDX-License-Identifier: Apache-2.0 OR MIT
//! DNS resolvers that others wrote ask servers that they cannot reach, and are answered by a DNS server that others
//! wrote, behind the agent's port. Under both kinds of iptables, which proves the expectations, and under this
//! program. Who is answered by whom is told by the answers, which differ, and by what the servers log.

mod answered;
mod dns_pod;
mod refused;
mod resolver;
mod server;
mod table;

use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Trial};
use testkit::istio::Iptables;

use crate::{
    answered::{Asker, Question},
    dns_pod::{Capture, DnsPod, Interception, Via},
    resolver::{Resolver, Servers, Source},
};

const INTERCEPTIONS: [Interception; 3] =
    [Interception::Rules(Iptables::Legacy), Interception::Rules(Iptables::Nft), Interception::Ebpf];

fn main() {
    let arguments = Arguments::from_args();
    let pods = INTERCEPTIONS
        .into_iter()
        .flat_map(|interception| Capture::ALL.map(|capture| (interception, capture)));
    let answered = pods.flat_map(|(interception, capture)| {
        // Made by the first test that needs it, and gone with the last.
        let dns_pod = Arc::new(OnceLock::new());
        questions(capture).into_iter().map(move |question| {
            let dns_pod = Arc::clone(&dns_pod);
            Trial::test(format!("{interception}::{capture}::{question}"), move || {
                question.ask(dns_pod.get_or_init(|| DnsPod::new(interception, capture)));
                Ok(())
            })
        })
    });
    let trials = answered.chain(refused::trials()).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

/// What is asked where these servers are captured.
fn questions(capture: Capture) -> Vec<Question> {
    let everywhere = |resolver: &'static Resolver| {
        let vias: &[Via] = match resolver.servers {
            // Others never come to the second server.
            Servers::Configured if resolver.source == Source::Several => &Via::ALL,
            Servers::Configured | Servers::Named => &Via::SINGLE,
            Servers::NamedV4 => &[Via::V4],
            Servers::NamedV6 => &[Via::V6],
        };
        vias.iter().map(move |via| (resolver, *via))
    };
    let captured = table::RESOLVERS.iter().flat_map(everywhere).map(|(resolver, via)| Question {
        resolver,
        via,
        asker: Asker::Application,
    });
    let exempt = |resolver: &'static Resolver, asker| Via::SINGLE.map(|via| Question { resolver, via, asker });
    let sidecar = [&table::DIG, &table::DIG_TCP, &table::GETENT]
        .map(|resolver| exempt(resolver, Asker::Sidecar))
        .concat();
    let unlisted = [
        exempt(&table::DIG, Asker::ApplicationElsewhere),
        exempt(&table::GETENT, Asker::ApplicationElsewhere),
        exempt(&table::DIG_TCP, Asker::ApplicationBySidecar),
    ]
    .concat();
    captured
        .chain(sidecar)
        .chain(unlisted.into_iter().filter(|_| capture == Capture::Listed))
        .collect()
}
