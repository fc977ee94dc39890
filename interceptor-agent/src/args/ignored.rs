// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Variables that the manifests of Istio's CNI agent set and that mean nothing here.

/// Of the kubeconfig that Istio writes for its plugin, of ambient mode, of the way rules are written, and of Go.
const IGNORED: [&str; 13] = [
    "ALLOW_SWITCH_TO_HOST_NS",
    "CNI_NETWORK_CONFIG",
    "CNI_NETWORK_CONFIG_FILE",
    "CURRENT_AGENT_VERSION",
    "ENABLE_AMBIENT_DETECTION_RETRY",
    "FORCE_IPTABLES_BINARY",
    "GOMEMLIMIT",
    "KUBECONFIG_MODE",
    "KUBE_CA_FILE",
    "NATIVE_NFTABLES",
    "REPAIR_RUN_AS_DAEMON",
    "SKIP_TLS_VERIFY",
    "ZTUNNEL_UDS_ADDRESS",
];
const IGNORED_PREFIX: &str = "AMBIENT_";
/// Is read, and refused if it is true.
const READ: &str = "AMBIENT_ENABLED";

/// Those of these variables that are ignored, in order.
pub(crate) fn ignored_variables(names: impl Iterator<Item = String>) -> Vec<String> {
    let is_ignored = |name: &str| IGNORED.contains(&name) || (name.starts_with(IGNORED_PREFIX) && name != READ);
    let mut ignored: Vec<String> = names.filter(|name| is_ignored(name)).collect();
    ignored.sort_unstable();
    ignored
}
