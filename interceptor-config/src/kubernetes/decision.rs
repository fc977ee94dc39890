// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What happens to a pod when it starts.

use super::{
    faults::Faults,
    pod::{Pod, SIDECAR},
    settings, skip,
    skip::Skip,
};
use crate::istio::Wanted;

/// What happens to a pod when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The pod is left alone.
    Skip(Skip),
    /// The pod is intercepted.
    Intercept {
        /// What is put in force. It is never empty: a pod without annotations has Istio's defaults.
        wanted: Box<Wanted>,
        /// What the pod says without effect, and what was taken instead.
        warnings: Vec<String>,
    },
}

/// Decides over a pod. An error means that the pod must not start: it is to be intercepted, and what it asks for is
/// not valid or not possible. A pod that is left alone is not judged.
pub fn decide(pod: &Pod) -> Result<Decision, Faults> {
    if let Some(skip) = skip::reason(pod) {
        return Ok(Decision::Skip(skip));
    }
    // There is no pod without a sidecar here: that is one of the reasons above.
    let Some(sidecar) = pod.container(SIDECAR) else {
        return Ok(Decision::Skip(Skip::NoSidecar));
    };
    let (wanted, of_settings) = settings::read(pod, sidecar)?;
    let mut warnings = skip::warnings(pod);
    warnings.extend(of_settings);
    Ok(Decision::Intercept { wanted: Box::new(wanted), warnings })
}
