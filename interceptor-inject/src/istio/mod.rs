// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Istio's injector does with a manifest, as `istioctl kube-inject` does it: from files, its own template is
//! rendered and merged into the pods; or the injector of a cluster is asked (`remote`). Then `istio-init` is rewritten.
//!
//! ```text
//! pod ──selection──▶ annotations::faults ──▶ engine::render(template, data) ──merge──▶ overrides ──finish──▶ rewrite
//! ```
//!
//! Where this program would render something else than Istio, it refuses. It asks no cluster itself.

mod annotations;
mod config;
mod data;
mod engine;
mod fault;
mod finish;
mod functions;
mod go;
mod inject;
mod injector;
mod merge;
mod mesh;
mod overrides;
mod owner;
mod pod;
mod proxy_config;
mod remote;
mod status;
#[cfg(test)]
mod tests;
mod values;

use serde_json::Value;

pub use self::{
    fault::{ConfigError, InjectError, InjectFault},
    injector::Istio,
    remote::Remote,
};
use crate::{
    outcome::Outcome,
    walk::{Stop, walk},
};

impl Istio {
    /// Injects all pods of a manifest.
    ///
    /// # Errors
    /// If Istio would refuse a pod, if its template cannot be rendered here, or if the manifest is none that Kubernetes
    /// takes, as far as it was looked at.
    pub fn apply(&self, manifest: &Value) -> Result<Outcome, InjectError> {
        walk(manifest, &self.kinds, &|place| {
            inject::inject(self, place).map_err(|stop| match stop {
                Stop::LeftAlone(reason) => Stop::LeftAlone(reason),
                Stop::Refused(fault) => Stop::Refused(InjectError { workload: place.title(), fault }),
            })
        })
    }
}
