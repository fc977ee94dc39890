// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rules that `istio-iptables` would write for a configuration, as text for `iptables-restore`
//! ([`capture/run.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/capture/run.go)).
//!
//! The text is for comparison, on paper and on a kernel. What Interceptor puts in force comes from
//! [`compile()`](crate::compile()). Names of users, groups and services are written as numbers, and all numbers in
//! decimal. To iptables that makes no difference.
//!
//! Istio sets up more than rules. That is not here: the routing of marked packets under TPROXY, and the address `::6`
//! on `lo`.

mod mangle;
mod nat;
mod plan;
mod raw;
mod rules;

use crate::istio::IstioConfig;
use plan::{Family, Plan};

/// What Istio hands to `iptables-restore --noflush`, and to `ip6tables-restore --noflush`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Always written, even for a pod without an IPv4 address.
    pub v4: String,
    /// Written for a pod whose IPv6 is intercepted.
    pub v6: Option<String>,
}

/// Renders a configuration; `ipv6` is what [`PodFacts::ipv6_enabled`](crate::PodFacts::ipv6_enabled) says of the pod.
pub fn iptables(config: &IstioConfig, ipv6: bool) -> Rendered {
    let render = |family| {
        let plan = Plan::of(config, family);
        // Istio writes its tables in alphabetical order.
        [mangle::table(&plan), nat::table(&plan), raw::table(&plan)]
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    Rendered { v4: render(Family::V4), v6: ipv6.then(|| render(Family::V6)) }
}
