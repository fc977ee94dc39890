// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Injection without Istio: a pod gets an Envoy, whose configuration somebody else writes, and the init container that
//! redirects the pod's connections to it. There is no template. A pod that is to be injected and cannot be is refused,
//! because without a sidecar its connections would go around the mesh.

mod arguments;
mod containers;
mod fault;
mod options;
mod pod;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub use self::{
    fault::{PlainError, PlainFault},
    options::Plain,
};
use crate::{
    outcome::Outcome,
    walk::{Stop, walk},
};

impl Plain {
    /// Injects all pods of a manifest that do not refuse it. Injecting twice is the same as injecting once.
    ///
    /// # Errors
    /// If a pod cannot be injected, or if the manifest is none that Kubernetes takes, as far as it was looked at.
    pub fn apply(&self, manifest: &Value) -> Result<Outcome, PlainError> {
        self.apply_in(manifest, "")
    }

    /// The same, where objects that name no namespace are in this one.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn apply_in(&self, manifest: &Value, namespace: &str) -> Result<Outcome, PlainError> {
        walk(manifest, &self.kinds, &|place| {
            pod::inject(self, place, namespace).map_err(|stop| match stop {
                Stop::LeftAlone(reason) => Stop::LeftAlone(reason),
                Stop::Refused(fault) => Stop::Refused(PlainError { workload: place.title(), fault }),
            })
        })
    }
}
