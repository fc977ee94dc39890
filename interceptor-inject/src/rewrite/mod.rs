// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rewrite of what Istio injected. It depends on the pod alone: no marker says that a pod is done, so a pod that
//! somebody has partly changed back is rewritten like any other.

mod cni;
mod container;
mod image;
mod judge;
mod pod;

use serde_json::Value;

pub use self::image::DEFAULT_IMAGE;
pub(crate) use self::image::is_ours;
use crate::{kinds::Kind, malformed::Malformed, outcome::Outcome, walk::walk};

/// Who sets up the redirection of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataPath {
    /// The pod's init container, which needs the rights for it.
    #[default]
    Init,
    /// Interceptor's CNI plugin on the node. The init container only checks that connections are redirected.
    Cni,
}

/// How to rewrite. The default takes this version's image and leaves alone what may not work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// The image of Interceptor. Without it, an image called `interceptor` with this version's tag is kept, and
    /// [`DEFAULT_IMAGE`] takes the place of any other.
    pub image: Option<String>,
    /// Who sets up the redirection.
    pub data_path: DataPath,
    /// Rewrites pods that intercept by TPROXY, in which the init container sets up the redirection.
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
        walk(manifest, &self.kinds, &|template| match self.data_path {
            DataPath::Init => pod::rewrite(template, self),
            DataPath::Cni => cni::rewrite(template, self),
        })
    }
}
