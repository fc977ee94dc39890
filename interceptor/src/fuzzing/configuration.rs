// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a pod is configured by: the whole way from a command line to a verdict and to Istio's rules.

use std::{hint::black_box, io, path::Path};

use clap::{Args as _, Command, FromArgMatches as _};
use interceptor_config::{
    CompiledPolicy, Flags, InterfaceFacts, IstioConfig, NoAccounts, PodFacts, ResolvConf, RouteFacts, Sources, Way,
    compile, render,
    settings::arguments::{AllFlags, FlagArgs},
};
use interceptor_policy::{Flow, Inbound, Outbound, Owner, Protocol, decide};

use super::texts::text;

/// Each line of the input is an argument; after `$`, a variable, and after `@`, an annotation, as `NAME=VALUE`.
pub(super) fn flags(data: &[u8]) {
    let text = text(data);
    let lines = |mark: char| text.lines().filter_map(move |line| line.strip_prefix(mark)?.split_once('='));
    let arguments = text.lines().filter(|line| !line.starts_with(['$', '@']));
    let find = |mark, name: &str| {
        lines(mark)
            .find(|(other, _value)| *other == name)
            .map(|(_name, value)| value.into())
    };
    let Some(flags) = parse(&arguments.collect::<Vec<_>>()) else { return };
    let annotations = |name: &str| find('@', name);
    let sources = Sources {
        flags: &flags,
        environment: &|name| find('$', name),
        annotations: text.contains('@').then_some(&annotations),
    };
    resolve(sources, b"nameserver 10.96.0.10\n");
}

pub(super) fn resolv_conf(data: &[u8]) {
    let Some(flags) = parse(&["--redirect-dns"]) else { return };
    resolve(Sources { flags: &flags, environment: &|_name| None, annotations: None }, data);
}

fn parse(arguments: &[&str]) -> Option<Flags> {
    let command = FlagArgs::<AllFlags>::augment_args(Command::new("fuzz").no_binary_name(true));
    let matches = command.try_get_matches_from(arguments).ok()?;
    FlagArgs::<AllFlags>::from_arg_matches(&matches).ok().map(|args| args.flags)
}

fn resolve(sources: Sources<'_>, servers: &[u8]) {
    let read = |_path: &Path| io::Result::Ok(servers.to_vec());
    let resolv_conf = ResolvConf { path: Path::new("/etc/resolv.conf"), read: &read };
    let Ok((config, warnings)) = IstioConfig::resolve(sources, &NoAccounts, resolv_conf) else {
        return;
    };
    black_box((warnings, render::iptables(&config, true)));
    let Ok(wanted) = config.supported() else { return };
    black_box(wanted.notes());
    if let Ok(compiled) = compile(&wanted, &pod()) {
        judge(&compiled);
    }
}

fn judge(compiled: &CompiledPolicy) {
    let [near, far] = ["10.1.1.5", "192.0.2.1"].map(|ip| ip.parse::<std::net::IpAddr>().map(Into::into));
    let (Ok(near), Ok(far)) = (near, far) else { return };
    let policy = &compiled.policy;
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let (owner, port, interface) = (Owner::classify(1000, 1000, policy, compiled), 53, 2);
        let leaving = Outbound { protocol, source: near, destination: far, port, owner, mark: 0, interface };
        let arriving = Inbound { protocol, source: far, destination: near, port, interface };
        for flow in [Flow::Outbound(leaving), Flow::Inbound(arriving)] {
            black_box(decide(&flow, policy, compiled).reason);
        }
    }
}

fn pod() -> PodFacts {
    let address = |text: &str| text.parse().ok();
    let interface = |name: &str, index, addresses: &[&str]| InterfaceFacts {
        name: name.to_owned(),
        index,
        addresses: addresses.iter().filter_map(|text| address(text)).collect(),
    };
    let source = address("10.1.1.5");
    let default = RouteFacts { address: [0; 4].into(), prefix_len: 0, way: Way::Out(vec![2]), source };
    PodFacts {
        interfaces: vec![interface("lo", 1, &["127.0.0.1", "::1"]), interface("eth0", 2, &["10.1.1.5", "fd00::5"])],
        source_v4: "10.1.1.5".parse().ok(),
        source_v6: "fd00::5".parse().ok(),
        routes: vec![default],
        ..PodFacts::default()
    }
}
