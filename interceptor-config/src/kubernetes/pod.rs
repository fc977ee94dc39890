// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a pod says of itself, as far as the decision depends on it. It can be read from an object of the API and from
//! a manifest. Fields without a meaning here are not read, and so not judged.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::IgnoredAny};

/// The container that connections are redirected to. Injection gives it this name.
pub(super) const SIDECAR: &str = "istio-proxy";

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Pod {
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: Metadata,
    #[serde(default, deserialize_with = "or_default")]
    pub spec: Spec,
}

/// The pod's name and its notes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    #[serde(default, deserialize_with = "or_default")]
    pub namespace: String,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub uid: String,
    #[serde(default, deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, String>,
}

/// What runs in the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// Whether the pod has no network namespace of its own.
    #[serde(default, deserialize_with = "or_default")]
    pub host_network: bool,
    /// Sidecars may be among them.
    #[serde(default, deserialize_with = "or_default")]
    pub init_containers: Vec<Container>,
    #[serde(default, deserialize_with = "or_default")]
    pub containers: Vec<Container>,
}

/// One container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub args: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub env: Vec<Variable>,
    #[serde(default, deserialize_with = "or_default")]
    pub security_context: SecurityContext,
}

/// A variable of a container's environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Variable {
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub value: String,
    /// Whether the value is somewhere else, where nobody looks.
    #[serde(default, rename = "valueFrom", deserialize_with = "is_given")]
    pub is_elsewhere: bool,
}

/// Whom a container runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityContext {
    pub run_as_user: Option<i64>,
    pub run_as_group: Option<i64>,
}

impl Pod {
    /// The container of this name. A container wins over an init container.
    pub fn container(&self, name: &str) -> Option<&Container> {
        let Spec { containers, init_containers, host_network: _ } = &self.spec;
        let in_order = init_containers.iter().chain(containers);
        in_order.rev().find(|container| container.name == name)
    }
}

impl Container {
    /// The variable of this name. Of two with one name the second counts, as in the container.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.env.iter().rev().find(|variable| variable.name == name)
    }
}

/// A field that is null is a field left out.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn is_given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::<IgnoredAny>::deserialize(deserializer).map(|given| given.is_some())
}
