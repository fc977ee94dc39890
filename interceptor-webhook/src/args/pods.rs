// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How pods are changed: the flags of `interceptor inject`.

use clap::Args;
use interceptor_inject::{DataPath, Plain, Rewrite, image_name};

use super::mode::Mode;
use crate::work::Work;

#[derive(Args, Debug)]
pub(super) struct PodArgs {
    /// What is done with pods
    #[arg(
        long,
        value_name = "MODE",
        env = "INTERCEPTOR_WEBHOOK_MODE",
        value_enum,
        default_value_t
    )]
    pub(super) mode: Mode,

    /// Image of Interceptor [default: this version's; an image of this version from another registry is kept]
    #[arg(long, value_name = "IMAGE", env = "INTERCEPTOR_IMAGE", value_parser = image_name)]
    image: Option<String>,

    /// Who sets up the redirection: the init container, or Interceptor's CNI plugin
    #[arg(long, value_name = "init|cni", env = "INTERCEPTOR_DATA_PATH", default_value = "init")]
    data_path: DataPath,

    /// Rewrite pods that intercept by TPROXY, for container runtimes in which /proc/sys is writable
    #[arg(long, env = "INTERCEPTOR_TPROXY")]
    tproxy: bool,

    /// Change pods with a runtime class, for classes that use the node's kernel
    #[arg(long, env = "INTERCEPTOR_ANY_RUNTIME")]
    any_runtime: bool,

    /// SELinux type of the container, such as `spc_t`
    #[arg(long, value_name = "TYPE", env = "INTERCEPTOR_SELINUX_TYPE")]
    selinux_type: Option<String>,

    #[command(flatten)]
    plain: PlainArgs,
}

/// What a sidecar without Istio is made of.
#[derive(Args, Debug)]
#[command(next_help_heading = "With --mode plain")]
struct PlainArgs {
    /// Image of Envoy, the entrypoint of which takes Envoy's arguments
    #[arg(long, value_name = "IMAGE", env = "INTERCEPTOR_ENVOY_IMAGE", value_parser = image_name)]
    envoy_image: Option<String>,

    /// `ConfigMap` with Envoy's configuration at the key envoy.yaml, in the namespace of the pod
    #[arg(long, value_name = "NAME", env = "INTERCEPTOR_ENVOY_CONFIG", value_parser = image_name)]
    envoy_config: Option<String>,

    /// Make the sidecar a native one, for nodes of Kubernetes 1.29 and later
    #[arg(long, env = "INTERCEPTOR_NATIVE_SIDECARS")]
    native_sidecars: bool,
}

impl PodArgs {
    /// What is done with pods, unless flags do not go together.
    pub(super) fn work(&self) -> Result<Work, &'static str> {
        let Self { mode, image, data_path, tproxy, any_runtime, selinux_type, plain } = self;
        let PlainArgs { envoy_image, envoy_config, native_sidecars } = plain;
        match (mode, envoy_image, envoy_config) {
            (Mode::Rewrite, None, None) if !native_sidecars => Ok(Work::Rewrite(Rewrite {
                image: image.clone(),
                data_path: *data_path,
                tproxy: *tproxy,
                any_runtime: *any_runtime,
                selinux_type: selinux_type.clone(),
                kinds: Vec::new(),
            })),
            (Mode::Rewrite, ..) => Err("--envoy-image, --envoy-config and --native-sidecars need --mode plain"),
            (Mode::Plain, ..) if *data_path == DataPath::Cni => {
                Err("--mode plain needs --data-path init, because the CNI plugin knows Istio's pods only")
            }
            (Mode::Plain, ..) if *tproxy => Err("--tproxy is not for --mode plain, which redirects"),
            (Mode::Plain, Some(envoy_image), Some(envoy_config)) => Ok(Work::Plain(Plain {
                envoy_image: envoy_image.clone(),
                envoy_config: envoy_config.clone(),
                image: image.clone(),
                native_sidecars: *native_sidecars,
                any_runtime: *any_runtime,
                selinux_type: selinux_type.clone(),
                kinds: Vec::new(),
            })),
            (Mode::Plain, ..) => Err("--mode plain needs --envoy-image and --envoy-config"),
        }
    }
}
