// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The whole way from a command line to a verdict.

mod acceleration;
mod annotations;
mod arguments;
mod bad_values;
mod configuration;
mod data_path;
mod guard;
mod kubernetes;
mod laws;
mod printed;
mod rendering;
mod verdicts;

use std::path::Path;

use clap::Parser;
use interceptor_policy::{Address, Flow, Inbound, Outbound, Owner, Protocol, Reason, decide};

use crate::{
    Accounts, CompiledPolicy, ConfigError, InterfaceFacts, IstioConfig, PodFacts, ResolvConf, RouteFacts, Setting,
    Sources, Wanted, Way, compile,
    settings::arguments::{AllFlags, FlagArgs},
};

/// What the injector passes.
const INJECTED: &[&str] = &[
    "-p",
    "15001",
    "-z",
    "15006",
    "-u",
    "1337",
    "-m",
    "REDIRECT",
    "-i",
    "*",
    "-x",
    "",
    "-b",
    "*",
    "-d",
    "15090,15021,15020",
];

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: FlagArgs<AllFlags>,
}

/// A container with a few names.
struct Names;

impl Accounts for Names {
    fn uid(&self, name: &str) -> Option<u32> {
        [("envoy", 4242), ("root", 0)]
            .iter()
            .find(|(known, _id)| *known == name)
            .map(|(_known, id)| *id)
    }

    fn gid(&self, name: &str) -> Option<u32> {
        [("java", 300), ("ftp", 301), ("envoy", 4243)]
            .iter()
            .find(|(known, _id)| *known == name)
            .map(|(_known, id)| *id)
    }

    fn service(&self, name: &str) -> Option<u16> {
        [("http", 80), ("https", 443), ("http-alt", 8080)]
            .iter()
            .find(|(known, _port)| *known == name)
            .map(|(_known, port)| *port)
    }
}

/// What is asked for, whether or not it can be put in force, in a pod whose `resolv.conf` is given.
fn read(
    args: &[&str],
    variables: &[(&str, &str)],
    resolv_conf: &str,
) -> Result<(IstioConfig, Vec<String>), ConfigError> {
    from_sources(args, variables, None, resolv_conf)
}

fn from_sources(
    args: &[&str],
    variables: &[(&str, &str)],
    annotations: Option<&[(&str, &str)]>,
    resolv_conf: &str,
) -> Result<(IstioConfig, Vec<String>), ConfigError> {
    let flags = Cli::try_parse_from([&["istio-iptables"], args].concat()).unwrap().args.flags;
    let annotated = |name: &str| lookup(annotations.unwrap_or_default(), name);
    let sources = Sources {
        flags: &flags,
        environment: &|name| lookup(variables, name),
        annotations: if annotations.is_some() { Some(&annotated) } else { None },
    };
    let resolv_conf = ResolvConf { path: Path::new("/etc/resolv.conf"), read: &|_path| Ok(resolv_conf.into()) };
    IstioConfig::resolve(sources, &Names, resolv_conf)
}

fn lookup(pairs: &[(&str, &str)], name: &str) -> Option<String> {
    pairs
        .iter()
        .find(|(known, _value)| *known == name)
        .map(|(_known, value)| (*value).to_owned())
}

/// What can be put in force.
fn wanted(args: &[&str], variables: &[(&str, &str)]) -> Result<(Wanted, Vec<String>), ConfigError> {
    let (config, mut warnings) = read(args, variables, "nameserver 10.96.0.10\n")?;
    let wanted = config.supported()?;
    warnings.extend(wanted.notes());
    Ok((wanted, warnings))
}

/// The configuration that can be put in force.
fn resolve(args: &[&str], variables: &[(&str, &str)]) -> Result<(IstioConfig, Vec<String>), ConfigError> {
    wanted(args, variables).map(|(wanted, warnings)| (wanted.config().clone(), warnings))
}

/// `10.1.1.5` is the pod; it has a secondary address and a second interface.
fn pod() -> PodFacts {
    let interface = |name: &str, index, addresses: &[&str]| InterfaceFacts {
        name: name.to_owned(),
        index,
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
    };
    PodFacts {
        interfaces: vec![
            interface("lo", 1, &["127.0.0.1", "127.9.9.9", "::1"]),
            interface("eth0", 2, &["10.1.1.5", "10.1.1.6", "10.1.1.7", "fe80::5", "fe80::6"]),
            interface("eth1", 3, &["192.168.7.2"]),
        ],
        source_v4: Some("10.1.1.5".parse().unwrap()),
        source_v6: None,
        routes: vec![
            route("0.0.0.0/0", 2, "10.1.1.5"),
            route("10.1.1.0/24", 2, "10.1.1.5"),
            route("192.168.7.0/24", 3, "192.168.7.2"),
        ],
        ..PodFacts::default()
    }
}

fn route(prefix: &str, interface: u32, source: &str) -> RouteFacts {
    let (address, prefix_len) = prefix.split_once('/').unwrap();
    let (address, prefix_len) = (address.parse().unwrap(), prefix_len.parse().unwrap());
    RouteFacts { address, prefix_len, way: Way::Out(vec![interface]), source: source.parse().ok() }
}

/// The injected flags, overridden by `args`.
fn policy(args: &[&str], variables: &[(&str, &str)]) -> CompiledPolicy {
    compile(&wanted(&[INJECTED, args].concat(), variables).unwrap().0, &pod()).unwrap()
}

fn address(text: &str) -> Address {
    Address::from(text.parse::<std::net::IpAddr>().unwrap())
}

/// Who makes a socket.
#[derive(Clone, Copy, Debug)]
struct By {
    user: u32,
    group: u32,
}

const APP: By = By { user: 1000, group: 1000 };
const PROXY: By = By { user: 1337, group: 1337 };
/// A sidecar that runs as root to bind low ports.
const PROXY_BY_GROUP: By = By { user: 0, group: 1337 };

/// An unbound socket connects.
fn outbound(policy: &CompiledPolicy, by: By, protocol: Protocol, destination: &str) -> Reason {
    outbound_from(policy, by, protocol, "0.0.0.0", destination)
}

fn outbound_from(policy: &CompiledPolicy, by: By, protocol: Protocol, source: &str, destination: &str) -> Reason {
    outbound_marked(policy, by, protocol, source, destination, 0)
}

fn outbound_marked(
    policy: &CompiledPolicy,
    by: By,
    protocol: Protocol,
    source: &str,
    destination: &str,
    mark: u32,
) -> Reason {
    let (ip, port) = destination.rsplit_once(':').unwrap();
    let source = address(source);
    let flow = Outbound {
        protocol,
        source,
        destination: address(ip).as_reached_from(source),
        port: port.parse().unwrap(),
        owner: Owner::classify(by.user, by.group, &policy.policy, policy),
        mark,
        interface: 0,
    };
    decide(&Flow::Outbound(flow), &policy.policy, policy).reason
}

/// A connection arrives from another pod.
fn inbound(policy: &CompiledPolicy, protocol: Protocol, port: u16) -> Reason {
    let flow = Inbound {
        protocol,
        source: address("10.2.0.9"),
        destination: address("10.1.1.5"),
        port,
        interface: 0,
    };
    decide(&Flow::Inbound(flow), &policy.policy, policy).reason
}
