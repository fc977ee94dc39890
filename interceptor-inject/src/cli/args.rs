// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The flags of the command. Names that `istioctl kube-inject` has mean here what they mean there, or are refused.

use std::path::PathBuf;

use clap::Parser;
use serde_json::Value;

use super::kube_inject::KubeInjectFlags;
use crate::{DataPath, Kind, Malformed, Outcome, Rewrite, Undo};

/// Let Interceptor do what Istio's init container does in pods that Istio injected
///
/// Reads manifests, as `istioctl kube-inject` or `kubectl get -o yaml` write them, and writes them with the init
/// container istio-init rewritten. Documents that are not changed come out byte for byte. In documents that are
/// changed, comments and notation stay where nothing changes. What was decided about each workload goes to standard
/// error. Nothing is written if a document is refused.
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

A pod with the label or the annotation interceptor.dev/rewrite: \"false\" is left alone.

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
    #[arg(long, value_name = "IMAGE", value_parser = image)]
    image: Option<String>,

    /// How pods come by Interceptor; rewrite changes what Istio injected
    #[arg(long, value_name = "MODE", default_value = "rewrite", value_parser = mode)]
    mode: String,

    /// Who sets up the redirection: the init container, or Interceptor's CNI plugin
    #[arg(long, value_name = "init|cni", default_value = "init", value_parser = data_path)]
    data_path: DataPath,

    /// Rewrite pods that intercept by TPROXY, for container runtimes in which /proc/sys is writable
    #[arg(long)]
    tproxy: bool,

    /// Rewrite pods with a runtime class, for classes that use the node's kernel
    #[arg(long)]
    any_runtime: bool,

    /// SELinux type of the container, such as `spc_t`
    #[arg(long, value_name = "TYPE")]
    selinux_type: Option<String>,

    /// Another kind that makes pods, and where its pod template is, such as argoproj.io/Rollout=spec.template; may be
    /// repeated
    #[arg(long = "kind", value_name = "GROUP/KIND=PATH")]
    kinds: Vec<Kind>,

    /// Go back: make the container Istio's again
    #[arg(long, conflicts_with_all = ["image", "data_path", "tproxy", "any_runtime", "selinux_type"])]
    undo: bool,

    /// With --undo, image of the container, if it is not the one that was replaced
    #[arg(long, value_name = "IMAGE", requires = "undo", value_parser = image)]
    init_image: Option<String>,

    /// Fail if a workload is left alone that has not opted out
    #[arg(long)]
    pub(super) strict: bool,

    #[command(flatten)]
    _kube_inject: KubeInjectFlags,
}

/// What to do with each manifest.
pub(super) enum Change {
    Rewrite(Rewrite),
    Undo(Undo),
}

impl Cli {
    pub(super) fn change(&self) -> Change {
        let Self { image, data_path, tproxy, any_runtime, selinux_type, kinds, undo, init_image, .. } = self;
        if *undo {
            return Change::Undo(Undo { init_image: init_image.clone(), kinds: kinds.clone() });
        }
        Change::Rewrite(Rewrite {
            image: image.clone(),
            data_path: *data_path,
            tproxy: *tproxy,
            any_runtime: *any_runtime,
            selinux_type: selinux_type.clone(),
            kinds: kinds.clone(),
        })
    }
}

impl Change {
    pub(super) fn apply(&self, manifest: &Value) -> Result<Outcome, Malformed> {
        match self {
            Self::Rewrite(rewrite) => rewrite.apply(manifest),
            Self::Undo(undo) => undo.apply(manifest),
        }
    }

    /// What a changed workload is called in the report.
    pub(super) const fn done(&self) -> &'static str {
        match self {
            Self::Rewrite(_) => "rewritten",
            Self::Undo(_) => "Istio's again",
        }
    }
}

fn image(text: &str) -> Result<String, String> {
    let is_image = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
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

fn mode(text: &str) -> Result<String, &'static str> {
    match text {
        "rewrite" => Ok(text.to_owned()),
        "istio" | "plain" => Err(
            "this version only rewrites what Istio injected; let istioctl inject first: istioctl kube-inject -f FILE | \
             interceptor inject -f -",
        ),
        _ => Err("write rewrite"),
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
