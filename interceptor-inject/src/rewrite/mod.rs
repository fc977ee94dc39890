// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rewrite of what Istio injected. It depends on the pod alone: no marker says that a pod is done, so a pod that
//! somebody has partly changed back is rewritten like any other.

mod cni;
mod container;
mod image;
mod judge;
mod options;
mod pod;

use serde_json::Value;

pub(crate) use self::{
    container::CAPABILITIES,
    image::is_ours,
    judge::{OPT_OUT, checked, fit},
};
pub use self::{
    image::DEFAULT_IMAGE,
    options::{DataPath, Rewrite, image_name},
};
use crate::{
    malformed::{At, Malformed},
    outcome::Outcome,
    walk::{Changed, Stop, walk},
};

impl Rewrite {
    /// Rewrites all pods of a manifest. Rewriting twice is the same as rewriting once.
    ///
    /// # Errors
    /// If the manifest is none that Kubernetes takes, as far as it was looked at.
    pub fn apply(&self, manifest: &Value) -> Result<Outcome, Malformed> {
        walk(manifest, &self.kinds, &|place| self.template(&place.template))
    }

    /// Rewrites a pod or a pod template.
    pub(crate) fn template(&self, template: &At<'_>) -> Result<Changed, Stop> {
        match self.data_path {
            DataPath::Init => pod::rewrite(template, self),
            DataPath::Cni => cni::rewrite(template, self),
        }
    }
}
