// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a caller can choose about the rewrite.

use crate::kinds::Kind;

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
    /// `DEFAULT_IMAGE` takes the place of any other.
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
