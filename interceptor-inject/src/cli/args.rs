// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The flags of the command. Names that `istioctl kube-inject` has mean here what they mean there, or are refused.

use std::path::PathBuf;

use clap::{Args, Parser};

use super::kube_inject::{ClusterFlags, OtherFlags, TemplateFlags};
use crate::{DataPath, Kind, image_name};

/// Let Interceptor do what Istio's init container does in pods that Istio injected
///
/// Reads manifests, as `istioctl kube-inject` or `kubectl get -o yaml` write them, and writes them with the init
/// container istio-init rewritten. With --mode istio, Istio's template is rendered first, from files, or Istio's
/// injector in a cluster is asked. With --mode plain, pods get an Envoy without Istio. Documents that are not
/// changed come out byte for byte. In documents that are changed, comments and notation stay where nothing changes.
/// What was decided about each workload goes to standard error. Nothing is written if a document is refused.
#[derive(Debug, Parser)]
#[command(
    name = "interceptor-inject",
    bin_name = "interceptor inject",
    version,
    max_term_width = 120,
    after_help = "\
Examples:
  istioctl kube-inject -f app.yaml | interceptor inject -f - --image example.org/interceptor:0.1 | kubectl apply -f -
  kubectl get deployment web -o yaml | interceptor inject -f - --undo | kubectl apply -f -
  interceptor inject -f app.yaml --injectConfigFile inject.yaml --meshConfigFile mesh.yaml --valuesFile values.json
  interceptor inject -f app.yaml --mode istio --context test --image example.org/interceptor:0.1
  interceptor inject -f app.yaml --mode plain --envoy-image example.org/envoy:1.40 --envoy-config envoy

A pod with the label or the annotation interceptor.dev/rewrite: \"false\" is not rewritten.
With sidecar.istio.io/inject: \"false\" (--mode istio) or interceptor.dev/inject: \"false\"
(--mode plain), it is not injected.

Exit status:
  0 done, also if there was nothing to rewrite, 1 failed, 2 wrong usage."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Cli {
    /// File or directory with manifests, or - for standard input; may be repeated. Of a directory, the files
    /// *.yaml, *.yml and *.json are read, in the order of their names
    #[arg(short, long, value_name = "FILE", required = true)]
    pub(super) filename: Vec<PathBuf>,

    /// File to write to instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Image of Interceptor [default: this version's; an image of this version from another registry is kept]
    #[arg(long, value_name = "IMAGE", value_parser = image_name)]
    pub(super) image: Option<String>,

    /// How pods come by Interceptor: `rewrite` changes what Istio injected, `istio` injects as Istio does first, and
    /// `plain` injects an Envoy without Istio [default: rewrite; istio with --injectConfigFile or --revision]
    #[arg(long, value_name = "MODE", value_parser = mode)]
    pub(super) mode: Option<Mode>,

    /// Who sets up the redirection: the init container, or Interceptor's CNI plugin
    #[arg(long, value_name = "init|cni", default_value = "init")]
    pub(super) data_path: DataPath,

    /// Rewrite pods that intercept by TPROXY, for container runtimes in which /proc/sys is writable
    #[arg(long)]
    pub(super) tproxy: bool,

    /// Rewrite pods with a runtime class, for classes that use the node's kernel
    #[arg(long)]
    pub(super) any_runtime: bool,

    /// SELinux type of the container, such as `spc_t`
    #[arg(long, value_name = "TYPE")]
    pub(super) selinux_type: Option<String>,

    /// Another kind that makes pods, and where its pod template is, such as argoproj.io/Rollout=spec.template; may be
    /// repeated
    #[arg(long = "kind", value_name = "GROUP/KIND=PATH")]
    pub(super) kinds: Vec<Kind>,

    /// Go back: make the container Istio's again
    #[arg(long, conflicts_with_all = ["image", "data_path", "tproxy", "any_runtime", "selinux_type"])]
    pub(super) undo: bool,

    /// With --undo, image of the container, if it is not the one that was replaced
    #[arg(long, value_name = "IMAGE", requires = "undo", value_parser = image_name)]
    pub(super) init_image: Option<String>,

    /// Fail if a workload is left alone that has not opted out
    #[arg(long)]
    pub(super) strict: bool,

    /// Write no manifest, but what would change, as a unified diff
    #[arg(long, conflicts_with = "output")]
    pub(super) dry_run: bool,

    /// Say of each workload which rules were asked about it, and which one decided
    #[arg(long, conflicts_with = "undo")]
    pub(super) explain: bool,

    /// Make the sidecar a native one, for nodes of Kubernetes 1.29 and later (--mode istio, --mode plain)
    #[arg(long)]
    pub(super) native_sidecars: bool,

    #[command(flatten)]
    pub(super) template: TemplateFlags,

    #[command(flatten)]
    pub(super) plain: PlainFlags,

    #[command(flatten)]
    pub(super) cluster: ClusterFlags,

    #[command(flatten)]
    pub(super) others: OtherFlags,
}

/// How pods come by Interceptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Rewrite,
    Istio,
    Plain,
}

/// What a sidecar without Istio is made of.
#[derive(Debug, Args)]
#[command(next_help_heading = "With --mode plain")]
pub(super) struct PlainFlags {
    /// Image of Envoy, the entrypoint of which takes Envoy's arguments
    #[arg(long, value_name = "IMAGE", value_parser = image_name)]
    pub(super) envoy_image: Option<String>,

    /// `ConfigMap` with Envoy's configuration at the key envoy.yaml, in the namespace of the pod
    #[arg(long, value_name = "NAME", value_parser = image_name)]
    pub(super) envoy_config: Option<String>,
}

impl PlainFlags {
    /// One of the flags that was given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let Self { envoy_image, envoy_config } = self;
        let given = [("envoy-image", envoy_image), ("envoy-config", envoy_config)];
        given.into_iter().find_map(|(name, value)| value.as_ref().map(|_value| name))
    }
}

fn mode(text: &str) -> Result<Mode, &'static str> {
    match text {
        "rewrite" => Ok(Mode::Rewrite),
        "istio" => Ok(Mode::Istio),
        "plain" => Ok(Mode::Plain),
        _ => Err("write rewrite, istio or plain"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
