// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a configuration is refused: which setting, what is wrong with it, and what to write instead. A setting has one
//! name in all messages, its [`Display`](std::fmt::Display).

use std::path::PathBuf;

use thiserror::Error;

use crate::{
    settings::Setting,
    values::{Cidr, NumberRange},
};

/// A configuration that Istio would refuse too, or that this version cannot carry out in full.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    #[error("`{name}` is not the name of a setting in a printed configuration; it was printed by another version")]
    NotPrinted { name: String },

    #[error(
        "{setting}: `{item}` is not a port; write a number from 0 to 65535, a range such as 8000:8080 or a name from \
         /etc/services"
    )]
    NotAPort { setting: Setting, item: String },

    #[error("{setting}: `{value}` is not one port; write a number from 1 to 65535 or a name from /etc/services")]
    NotOnePort { setting: Setting, value: String },

    #[error(
        "{setting}: `{item}` is not a user; write a number up to 4294967294, a range such as 1000-2000 or the name of \
         a user here"
    )]
    NotAUser { setting: Setting, item: String },

    #[error(
        "{setting}: `{item}` is not a group; write a number up to 4294967294, a range such as 1000-2000 or the name of \
         a group here"
    )]
    NotAGroup { setting: Setting, item: String },

    #[error("{setting}: the range `{item}` runs backwards; write {turned}")]
    BackwardRange { setting: Setting, item: String, turned: NumberRange },

    #[error("{setting}: `*` is an item of the list `{value}`; write `*` alone for all, or a list without it")]
    StarInList { setting: Setting, value: String },

    #[error(
        "{setting}: `{value}` names no user; write the sidecar's user ID, or leave the value empty for the default"
    )]
    NoProxyUser { setting: Setting, value: String },

    #[error(
        "{setting}: `{item}` is not an IP range; write an address and a prefix length without blanks, such as \
         10.0.0.0/8"
    )]
    NotACidr { setting: Setting, item: String },

    #[error("{setting}: `{}` has no prefix length; write {host} for this one address", .host.address())]
    CidrWithoutLength { setting: Setting, host: Cidr },

    #[error(
        "{setting}: `{item}` is an IPv4 range in IPv6 form, which no packet matches; write it as IPv4, such as \
         10.0.0.0/8"
    )]
    MappedCidr { setting: Setting, item: String },

    #[error(
        "{setting}: `*` cannot be excluded; to intercept nothing outbound, leave --istio-service-cidr and \
         --istio-outbound-ports empty"
    )]
    EverythingExcluded { setting: Setting },

    #[error(
        "{setting}: number of owner groups whose outgoing traffic should be redirected to Envoy cannot exceed {max}, \
         got {count}; list fewer groups, or list the groups to leave out in ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE"
    )]
    TooManyOwnerGroups { setting: Setting, max: usize, count: usize },

    #[error("{setting}: failed to parse CIDR `{value}`; write an IPv4 loopback range, such as 127.0.0.1/32")]
    LoopbackCidr { setting: Setting, value: String },

    #[error(
        "{setting}: expected valid IPv4 loopback address in CIDR {cidr}; found {}; write a range such as 127.0.0.1/32",
        .cidr.address()
    )]
    NotLoopback { setting: Setting, cidr: Cidr },

    #[error(
        "{setting}: expected CIDR {cidr} to have mask in range [8, 32]; found {}; write a range such as 127.0.0.1/32",
        .cidr.prefix_len()
    )]
    LoopbackMask { setting: Setting, cidr: Cidr },

    #[error("{setting}: `{value}` is not a kind of iptables; write legacy or nft, or leave it empty")]
    IptablesBinary { setting: Setting, value: String },

    #[error("{setting}: `{value}` is not an integer; write a number from 0 to 4294967295")]
    NotAnInteger { setting: Setting, value: String },

    #[error("{setting}: `{value}` asks for {feature}, which this version does not have; {advice}")]
    Unsupported { setting: Setting, value: String, feature: &'static str, advice: &'static str },

    #[error("{setting}: {value} does not work under TPROXY: {reason}; {advice}")]
    Unworkable { setting: Setting, value: u32, reason: &'static str, advice: &'static str },

    #[error("{setting}: `{name}` is too long for the name of an interface; write at most 15 bytes")]
    InterfaceName { setting: Setting, name: String },

    #[error(
        "{setting}: the pod has a routing rule ({rule}) that looks at more than the destination, so it is not known \
         which connections leave by an excluded interface; exclude the IP ranges behind the interface with \
         --istio-service-exclude-cidr instead"
    )]
    RoutedByMoreThanDestination { setting: Setting, rule: String },

    #[error(
        "{setting}: the route {route} leads through excluded interfaces and others; exclude all of these interfaces, \
         or exclude the IP ranges behind them with --istio-service-exclude-cidr"
    )]
    RoutedBothWays { setting: Setting, route: String },

    #[error(
        "{setting}: {ids} is not mapped in the pod's user namespace; write an ID that is in its uid_map and gid_map"
    )]
    UnmappedId { setting: Setting, ids: NumberRange },

    #[error("{setting}: `{value}` is not a value for it; write {wanted}")]
    NotAValue { setting: Setting, value: String, wanted: &'static str },

    #[error("{}", .faults.iter().map(ToString::to_string).collect::<Vec<_>>().join(". "))]
    Annotations { faults: Vec<AnnotationFault> },

    #[error(
        "failed to load {}: {reason}; name the file that lists the DNS servers with --resolv-conf, or capture the \
         queries to all servers (--capture-all-dns)",
        .path.display()
    )]
    ResolvConf { path: PathBuf, reason: String },

    #[error("no valid local IP address found; wait for the pod's network to be set up, then run this again")]
    NoLocalAddress,

    #[error(
        "the lists of {what} make {count} prefixes, more than the {max} a pod may have; write fewer or wider ranges"
    )]
    TooManyPrefixes { what: &'static str, count: usize, max: usize },
}

/// A pod's annotation that has no valid value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{annotation}: `{value}` is not a value for it; write {wanted}")]
pub struct AnnotationFault {
    pub annotation: &'static str,
    pub value: String,
    pub wanted: &'static str,
}
