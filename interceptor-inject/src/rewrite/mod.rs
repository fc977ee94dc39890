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

pub(crate) use self::image::is_ours;
pub use self::{
    image::DEFAULT_IMAGE,
    options::{DataPath, Rewrite},
};
use crate::{malformed::Malformed, outcome::Outcome, walk::walk};

impl Rewrite {
    /// Rewrites all pods of a manifest. Rewriting twice is the same as rewriting once.
    ///
    /// # Errors
    /// If the manifest is none that Kubernetes takes, as far as it was looked at.
    pub fn apply(&self, manifest: &Value) -> Result<Outcome, Malformed> {
        walk(manifest, &self.kinds, &|template| match self.data_path {
            DataPath::Init => pod::rewrite(template, self),
            DataPath::Cni => cni::rewrite(template, self),
        })
    }
}
