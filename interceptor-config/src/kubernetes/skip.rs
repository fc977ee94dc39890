// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a pod is left alone. The reasons have an order, and of several the first is named.

use std::fmt;

use super::pod::{Pod, SIDECAR};
use crate::{settings::Setting, values::go};

/// The container that sets up interception from inside of the pod.
const INIT: &str = "istio-init";
const DISABLE_ENVOY: &str = "DISABLE_ENVOY";
/// A label, and an annotation that is older.
const INJECT: &str = "sidecar.istio.io/inject";
/// What injection leaves in each pod that it has changed.
const STATUS: &str = "sidecar.istio.io/status";
/// The mode of a pod that is not to be intercepted.
const NO_INTERCEPTION: &str = "NONE";

/// Why a pod is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The pod has no network namespace of its own.
    HostNetwork,
    /// A container of the pod itself sets up interception.
    OwnInit,
    /// The sidecar has no Envoy.
    NoEnvoy,
    /// The pod has no container `istio-proxy`.
    NoSidecar,
    /// The pod's proxy is not a sidecar but, for example, a gateway.
    OtherProxy {
        /// What its arguments call it.
        kind: String,
    },
    /// A label or an annotation says that the pod gets no sidecar.
    InjectionOff,
    /// Nothing has injected a sidecar.
    NotInjected,
    /// The pod's mode of interception is `NONE`.
    ModeNone,
}

/// The first reason that holds, if any does.
pub(super) fn reason(pod: &Pod) -> Option<Skip> {
    let reasons = [host_network, own_init, no_envoy, no_sidecar, other_proxy, injection_off, not_injected, mode_none];
    reasons.into_iter().find_map(|reason| reason(pod))
}

/// What would be a reason if it were a boolean.
pub(super) fn warnings(pod: &Pod) -> Vec<String> {
    let envoy = disable_envoy(pod).map(|value| (format!("variable {DISABLE_ENVOY} of {SIDECAR}"), value));
    let inject = inject(pod).map(|value| (format!("{INJECT} of the pod"), value));
    let unread = envoy
        .into_iter()
        .chain(inject)
        .filter(|(_place, value)| go::parse_bool(value).is_none());
    unread
        .map(|(place, value)| format!("{place}: `{value}` is not true or false; ignored, as Istio does"))
        .collect()
}

fn host_network(pod: &Pod) -> Option<Skip> {
    pod.spec.host_network.then_some(Skip::HostNetwork)
}

fn own_init(pod: &Pod) -> Option<Skip> {
    pod.container(INIT).map(|_init| Skip::OwnInit)
}

fn no_envoy(pod: &Pod) -> Option<Skip> {
    disable_envoy(pod).and_then(go::parse_bool)?.then_some(Skip::NoEnvoy)
}

fn no_sidecar(pod: &Pod) -> Option<Skip> {
    pod.container(SIDECAR).is_none().then_some(Skip::NoSidecar)
}

fn other_proxy(pod: &Pod) -> Option<Skip> {
    let [command, kind, ..] = pod.container(SIDECAR)?.args.as_slice() else {
        return None;
    };
    let other = command == "proxy" && !kind.is_empty() && kind != "sidecar";
    other.then(|| Skip::OtherProxy { kind: kind.clone() })
}

fn injection_off(pod: &Pod) -> Option<Skip> {
    let wanted = inject(pod).and_then(go::parse_bool)?;
    (!wanted).then_some(Skip::InjectionOff)
}

fn not_injected(pod: &Pod) -> Option<Skip> {
    (!pod.metadata.annotations.contains_key(STATUS)).then_some(Skip::NotInjected)
}

fn mode_none(pod: &Pod) -> Option<Skip> {
    let mut annotations = Setting::InterceptionMode.annotations().iter();
    let mode = annotations.find_map(|name| pod.metadata.annotations.get(*name))?;
    (mode == NO_INTERCEPTION).then_some(Skip::ModeNone)
}

fn disable_envoy(pod: &Pod) -> Option<&str> {
    pod.container(SIDECAR)?
        .variable(DISABLE_ENVOY)
        .map(|variable| variable.value.as_str())
}

/// What the pod says of injection. The label counts where there are both, and nothing is said by an empty text.
fn inject(pod: &Pod) -> Option<&str> {
    let given = pod.metadata.labels.get(INJECT).or_else(|| pod.metadata.annotations.get(INJECT));
    given.map(String::as_str).filter(|value| !value.is_empty())
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostNetwork => f.write_str("the pod uses the network of its node"),
            Self::OwnInit => write!(f, "the pod has a container {INIT}, which sets up interception itself"),
            Self::NoEnvoy => write!(f, "{SIDECAR} runs no Envoy: its variable {DISABLE_ENVOY} is true"),
            Self::NoSidecar => write!(f, "the pod has no container {SIDECAR}"),
            Self::OtherProxy { kind } => write!(f, "{SIDECAR} is not a sidecar: its arguments say `proxy {kind}`"),
            Self::InjectionOff => write!(f, "the label or annotation {INJECT} is false"),
            Self::NotInjected => write!(f, "no sidecar was injected: the annotation {STATUS} is missing"),
            Self::ModeNone => write!(f, "the pod's mode of interception is {NO_INTERCEPTION}"),
        }
    }
}
