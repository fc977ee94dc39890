// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a caller can choose about the rewrite.

use std::str::FromStr;

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

impl FromStr for DataPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "init" => Ok(Self::Init),
            "cni" => Ok(Self::Cni),
            _ => Err("write init or cni"),
        }
    }
}

/// Takes the name of an image. The text can stand between quotation marks in YAML.
///
/// # Errors
/// For a text that is no such name, what to write.
pub fn image_name(text: &str) -> Result<String, &'static str> {
    let is_image = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if is_image {
        Ok(text.to_owned())
    } else {
        Err("write a name and a tag, without blanks")
    }
}
