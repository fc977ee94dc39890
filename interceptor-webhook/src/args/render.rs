// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor render webhook` and `interceptor render istio-values`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use interceptor_inject::{DEFAULT_IMAGE, image_name};

use super::mode::Mode;

#[derive(Debug, Subcommand)]
pub(crate) enum RenderArgs {
    #[command(override_usage = "interceptor render webhook --namespace NAME [OPTIONS]")]
    Webhook(ConfigurationArgs),
    #[command(override_usage = "interceptor render istio-values --image IMAGE")]
    IstioValues(ValuesArgs),
}

/// Print the configuration by which the API server calls `interceptor webhook`
///
/// The name of the configuration puts it after Istio's, because the API server calls webhooks in the order of the
/// names. Namespaces are left out by the label kubernetes.io/metadata.name, which they have since Kubernetes 1.21.
#[derive(Args, Debug)]
#[command(
    max_term_width = 120,
    after_help = "\
Examples:
  interceptor render webhook --namespace istio-system | kubectl apply -f -
  interceptor render webhook --namespace istio-system --revision canary --ca-file ca.crt
  interceptor render webhook --namespace mesh --mode plain"
)]
pub(crate) struct ConfigurationArgs {
    /// Namespace of the webhook's Service. Its pods are left out
    #[arg(long, value_name = "NAME", value_parser = label)]
    pub(crate) namespace: String,

    /// What the webhook does with pods
    #[arg(long, value_name = "MODE", value_enum, default_value_t)]
    pub(crate) mode: Mode,

    /// Name of the webhook's Service [default: interceptor-webhook; interceptor-plain with --mode plain]
    #[arg(long, value_name = "NAME", value_parser = label)]
    pub(crate) service: Option<String>,

    /// Port of the Service
    #[arg(long, value_name = "PORT", default_value_t = 443, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,

    /// Only the pods that this revision of Istio injects; `default` is the installation without a revision
    /// [default: all pods that Istio injected]
    #[arg(long, value_name = "NAME", value_parser = label)]
    pub(crate) revision: Option<String>,

    /// File with the authority of the certificate, in PEM [default: the webhook writes it into the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// Print values with which Istio itself puts Interceptor into the pods that it injects
///
/// They are values of Istio's chart istiod, which add a template of Interceptor's to the sidecar's. No webhook of
/// Interceptor is needed then. Pods that name templates themselves (inject.istio.io/templates) keep Istio's.
#[derive(Args, Debug)]
#[command(
    max_term_width = 120,
    after_help = "\
Examples:
  interceptor render istio-values --image example.org/interceptor:0.1 > values.yaml
  helm upgrade istiod istio/istiod --namespace istio-system --reuse-values --values values.yaml"
)]
pub(crate) struct ValuesArgs {
    /// Image of Interceptor
    #[arg(long, value_name = "IMAGE", value_parser = image_name, default_value = DEFAULT_IMAGE)]
    pub(crate) image: String,
}

/// The names of namespaces and services, and what may be the value of a label.
fn label(text: &str) -> Result<String, &'static str> {
    let is_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(is_good)
        && !text.starts_with('-')
        && !text.ends_with('-')
    {
        Ok(text.to_owned())
    } else {
        Err("write lower-case letters, digits and `-`, at most 63")
    }
}
