// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which pods are intercepted, and with which settings, read from the pods themselves. It decides as Istio's CNI plugin
//! does ([`plugin.go`](https://github.com/istio/istio/blob/master/cni/pkg/plugin/plugin.go),
//! [`sidecar_redirect.go`](https://github.com/istio/istio/blob/master/cni/pkg/plugin/sidecar_redirect.go)), with one
//! difference: a pod whose mode is `NONE` is left alone, where Istio's plugin refuses to start it.
//!
//! It never asks the cluster or the node, and never looks at the environment of this process.

mod decision;
mod faults;
mod pod;
mod ports;
mod settings;
mod skip;

pub use decision::{Decision, decide};
pub use faults::{Fault, Faults};
pub use pod::{Container, Metadata, Pod, SecurityContext, Spec, Variable};
pub use skip::Skip;
