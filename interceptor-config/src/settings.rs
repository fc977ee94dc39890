// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The settings of `istio-iptables` by all their names
//! ([`constants.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/constants/constants.go)).

use std::fmt;

/// A setting, by the names an operator can give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The long flag without its dashes; some settings only have a variable.
    pub flag: Option<&'static str>,
    /// The environment variables, the strongest last.
    pub variables: &'static [&'static str],
}

impl Setting {
    const fn new(flag: &'static str, variables: &'static [&'static str]) -> Self {
        Self { flag: Some(flag), variables }
    }

    const fn variable(variables: &'static [&'static str]) -> Self {
        Self { flag: None, variables }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables = self.variables.join(", ");
        match self.flag {
            None => f.write_str(&variables),
            Some(flag) if variables.is_empty() => write!(f, "--{flag}"),
            Some(flag) => write!(f, "--{flag} ({variables})"),
        }
    }
}

pub(super) const ENVOY_PORT: Setting = Setting::new("envoy-port", &[]);
pub(super) const INBOUND_CAPTURE_PORT: Setting = Setting::new("inbound-capture-port", &["INBOUND_CAPTURE_PORT"]);
pub(super) const INBOUND_TUNNEL_PORT: Setting = Setting::new("inbound-tunnel-port", &["INBOUND_TUNNEL_PORT"]);
pub(super) const PROXY_UID: Setting = Setting::new("proxy-uid", &["PROXY_UID"]);
pub(super) const PROXY_GID: Setting = Setting::new("proxy-gid", &["PROXY_GID"]);
pub(super) const INTERCEPTION_MODE: Setting =
    Setting::new("istio-inbound-interception-mode", &["ISTIO_INBOUND_INTERCEPTION_MODE"]);
pub(super) const INBOUND_PORTS: Setting = Setting::new("istio-inbound-ports", &["ISTIO_INBOUND_PORTS"]);
pub(super) const LOCAL_EXCLUDE_PORTS: Setting =
    Setting::new("istio-local-exclude-ports", &["ISTIO_LOCAL_EXCLUDE_PORTS"]);
pub(super) const EXCLUDE_INTERFACES: Setting = Setting::new("istio-exclude-interfaces", &["ISTIO_EXCLUDE_INTERFACES"]);
pub(super) const SERVICE_CIDR: Setting = Setting::new("istio-service-cidr", &["ISTIO_SERVICE_CIDR"]);
pub(super) const SERVICE_EXCLUDE_CIDR: Setting =
    Setting::new("istio-service-exclude-cidr", &["ISTIO_SERVICE_EXCLUDE_CIDR"]);
pub(super) const OUTBOUND_PORTS: Setting = Setting::new("istio-outbound-ports", &["ISTIO_OUTBOUND_PORTS"]);
pub(super) const LOCAL_OUTBOUND_PORTS_EXCLUDE: Setting =
    Setting::new("istio-local-outbound-ports-exclude", &["ISTIO_LOCAL_OUTBOUND_PORTS_EXCLUDE"]);
pub(super) const KUBE_VIRT_INTERFACES: Setting = Setting::new("kube-virt-interfaces", &["KUBE_VIRT_INTERFACES"]);
pub(super) const TPROXY_MARK: Setting = Setting::new("istio-inbound-tproxy-mark", &["ISTIO_INBOUND_TPROXY_MARK"]);
pub(super) const TPROXY_ROUTE_TABLE: Setting =
    Setting::new("istio-inbound-tproxy-route-table", &["ISTIO_INBOUND_TPROXY_ROUTE_TABLE"]);
pub(super) const DRY_RUN: Setting = Setting::new("dry-run", &["DRY_RUN"]);
pub(super) const PROBE_PORT: Setting = Setting::new("iptables-probe-port", &["IPTABLES_PROBE_PORT"]);
pub(super) const PROBE_TIMEOUT: Setting = Setting::new("probe-timeout", &["PROBE_TIMEOUT"]);
pub(super) const SKIP_RULE_APPLY: Setting = Setting::new("skip-rule-apply", &["SKIP_RULE_APPLY"]);
pub(super) const RUN_VALIDATION: Setting = Setting::new("run-validation", &["RUN_VALIDATION"]);
pub(super) const REDIRECT_DNS: Setting = Setting::new("redirect-dns", &["REDIRECT_DNS", "ISTIO_META_DNS_CAPTURE"]);
pub(super) const CAPTURE_ALL_DNS: Setting = Setting::new("capture-all-dns", &["CAPTURE_ALL_DNS"]);
pub(super) const DROP_INVALID: Setting = Setting::new("drop-invalid", &["DROP_INVALID", "INVALID_DROP"]);
pub(super) const DUAL_STACK: Setting = Setting::new("dual-stack", &["DUAL_STACK", "ISTIO_DUAL_STACK"]);
pub(super) const NETWORK_NAMESPACE: Setting = Setting::new("network-namespace", &["NETWORK_NAMESPACE"]);
pub(super) const CNI_MODE: Setting = Setting::new("cni-mode", &["CNI_MODE"]);
pub(super) const RECONCILE: Setting = Setting::new("reconcile", &["RECONCILE"]);
pub(super) const CLEANUP_ONLY: Setting = Setting::new("cleanup-only", &["CLEANUP_ONLY"]);
pub(super) const FORCE_APPLY: Setting = Setting::new("force-apply", &["FORCE_APPLY"]);
pub(super) const NATIVE_NFTABLES: Setting = Setting::new("native-nftables", &["NATIVE_NFTABLES"]);
pub(super) const FORCE_IPTABLES_BINARY: Setting = Setting::new("force-iptables-binary", &["FORCE_IPTABLES_BINARY"]);
pub(super) const OWNER_GROUPS: Setting = Setting::variable(&["ISTIO_OUTBOUND_OWNER_GROUPS"]);
pub(super) const OWNER_GROUPS_EXCLUDE: Setting = Setting::variable(&["ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE"]);
pub(super) const IPV4_LOOPBACK_CIDR: Setting = Setting::variable(&["ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR"]);
pub(super) const ENVOY_USER: Setting = Setting::variable(&["ENVOY_USER"]);
pub(super) const DRY_RUN_FILE_PATH: Setting = Setting::variable(&["DRY_RUN_FILE_PATH"]);

/// Those with a flag.
#[cfg(test)]
pub(super) const WITH_FLAG: &[Setting] = &[
    ENVOY_PORT,
    INBOUND_CAPTURE_PORT,
    INBOUND_TUNNEL_PORT,
    PROXY_UID,
    PROXY_GID,
    INTERCEPTION_MODE,
    INBOUND_PORTS,
    LOCAL_EXCLUDE_PORTS,
    EXCLUDE_INTERFACES,
    SERVICE_CIDR,
    SERVICE_EXCLUDE_CIDR,
    OUTBOUND_PORTS,
    LOCAL_OUTBOUND_PORTS_EXCLUDE,
    KUBE_VIRT_INTERFACES,
    TPROXY_MARK,
    TPROXY_ROUTE_TABLE,
    DRY_RUN,
    PROBE_PORT,
    PROBE_TIMEOUT,
    SKIP_RULE_APPLY,
    RUN_VALIDATION,
    REDIRECT_DNS,
    CAPTURE_ALL_DNS,
    DROP_INVALID,
    DUAL_STACK,
    NETWORK_NAMESPACE,
    CNI_MODE,
    RECONCILE,
    CLEANUP_ONLY,
    FORCE_APPLY,
    NATIVE_NFTABLES,
    FORCE_IPTABLES_BINARY,
];
