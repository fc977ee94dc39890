// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a pod is doing, as far as repair reads it
//! ([`PodStatus`](https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/#podstatus-v1-core)).

use std::net::IpAddr;

use serde::{Deserialize, Deserializer};

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) phase: String,
    #[serde(default, rename = "podIPs", deserialize_with = "or_default")]
    pub(crate) pod_ips: Vec<PodIp>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) init_container_statuses: Vec<ContainerStatus>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct PodIp {
    #[serde(default, deserialize_with = "or_default")]
    ip: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerStatus {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) state: State,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) last_state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct State {
    #[serde(default)]
    running: Option<Running>,
    #[serde(default)]
    pub(crate) terminated: Option<Terminated>,
}

/// Since when does not matter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Running {}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Terminated {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) exit_code: i64,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) reason: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) message: String,
}

impl Status {
    /// Whether the pod has begun its work: a container runs that is none of those before it.
    pub(crate) fn is_at_work(&self) -> bool {
        self.container_statuses
            .iter()
            .any(|container| container.state.running.is_some())
    }

    /// Whether nothing of the pod will run any more.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }

    /// The addresses of the pod. What is no address is none.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        self.pod_ips.iter().filter_map(|PodIp { ip }| ip.parse().ok()).collect()
    }
}

/// One `null` must not make a list of all pods unreadable.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
