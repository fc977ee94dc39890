// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How pods are rewritten: the flags of `interceptor inject`.

use clap::Args;
use interceptor_inject::{DataPath, Rewrite};

#[derive(Args, Debug)]
pub(super) struct RewriteArgs {
    /// Image of Interceptor [default: this version's; an image of this version from another registry is kept]
    #[arg(long, value_name = "IMAGE", env = "INTERCEPTOR_IMAGE", value_parser = image)]
    image: Option<String>,

    /// Who sets up the redirection: the init container, or Interceptor's CNI plugin
    #[arg(
        long,
        value_name = "init|cni",
        env = "INTERCEPTOR_DATA_PATH",
        default_value = "init",
        value_parser = data_path
    )]
    data_path: DataPath,

    /// Rewrite pods that intercept by TPROXY, for container runtimes in which /proc/sys is writable
    #[arg(long, env = "INTERCEPTOR_TPROXY")]
    tproxy: bool,

    /// Rewrite pods with a runtime class, for classes that use the node's kernel
    #[arg(long, env = "INTERCEPTOR_ANY_RUNTIME")]
    any_runtime: bool,

    /// SELinux type of the container, such as `spc_t`
    #[arg(long, value_name = "TYPE", env = "INTERCEPTOR_SELINUX_TYPE")]
    selinux_type: Option<String>,
}

impl RewriteArgs {
    pub(super) fn options(&self) -> Rewrite {
        let Self { image, data_path, tproxy, any_runtime, selinux_type } = self;
        Rewrite {
            image: image.clone(),
            data_path: *data_path,
            tproxy: *tproxy,
            any_runtime: *any_runtime,
            selinux_type: selinux_type.clone(),
            kinds: Vec::new(),
        }
    }
}

pub(super) fn image(text: &str) -> Result<String, String> {
    let is_image = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if is_image {
        Ok(text.to_owned())
    } else {
        Err("write a name and a tag, without blanks".to_owned())
    }
}

fn data_path(text: &str) -> Result<DataPath, &'static str> {
    match text {
        "init" => Ok(DataPath::Init),
        "cni" => Ok(DataPath::Cni),
        _ => Err("write init or cni"),
    }
}
