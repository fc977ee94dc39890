// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rewrite of what Istio injected. It depends on the pod alone: no marker says that a pod is done, so a pod that
//! somebody has partly changed back is rewritten like any other.

mod container;
mod image;
mod judge;
mod pod;

use serde_json::Value;

pub use self::image::DEFAULT_IMAGE;
pub(crate) use self::image::is_ours;
use crate::{kinds::Kind, malformed::Malformed, outcome::Outcome, walk::walk};

/// How to rewrite. The default takes this version's image and leaves alone what may not work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// The image of Interceptor. Without it, an image called `interceptor` with this version's tag is kept, and
    /// [`DEFAULT_IMAGE`] takes the place of any other.
    pub image: Option<String>,
    /// Rewrites pods that intercept by TPROXY.
    pub tproxy: bool,
    /// Rewrites pods with a runtime class.
    pub any_runtime: bool,
    /// The SELinux type of the container, such as `spc_t`.
    pub selinux_type: Option<String>,
    /// Kinds that make pods, besides those of Kubernetes.
    pub kinds: Vec<Kind>,
}

impl Rewrite {
    /// Rewrites all pods of a manifest. Rewriting twice is the same as rewriting once.
    ///
    /// # Errors
    /// If the manifest is none that Kubernetes takes, as far as it was looked at.
    pub fn apply(&self, manifest: &Value) -> Result<Outcome, Malformed> {
        walk(manifest, &self.kinds, &|template| pod::rewrite(template, self))
    }
}
