// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command line. Every flag of the webhook has a variable too, for the manifest of a Deployment.

mod ask;
mod log;
mod mode;
mod pods;
mod render;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{CommandFactory as _, Parser, Subcommand, error::ErrorKind};

use self::pods::PodArgs;
pub(crate) use self::{
    ask::AskArgs,
    log::{Level, LogArgs},
    mode::Mode,
    render::{ConfigurationArgs, RenderArgs},
};
use crate::{
    certificate::{Files, Place},
    work::Work,
};

/// What this process was started for.
pub(crate) struct Cli {
    pub(crate) command: Command,
}

pub(crate) enum Command {
    /// With what is done with pods.
    Run(Box<Args>, Work),
    Render(RenderArgs),
    Ask(AskArgs),
}

#[derive(Debug, Parser)]
#[command(
    name = "interceptor-webhook",
    bin_name = "interceptor webhook",
    version,
    max_term_width = 120,
    args_override_self = true,
    args_conflicts_with_subcommands = true
)]
struct Line {
    #[command(flatten)]
    args: Args,
    #[command(subcommand)]
    other: Option<Other>,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// What `interceptor render` prints that is about the webhook.
    #[command(subcommand, hide = true)]
    Render(RenderArgs),
    #[command(hide = true)]
    Ask(AskArgs),
}

/// Let Interceptor do what Istio's init container does in pods that are created
///
/// Serves an admission webhook, which rewrites the pods that Istio injected, as `interceptor inject` does in manifests.
/// It never denies a pod then: one that it does not change keeps Istio's rules. With --mode plain, pods get an Envoy
/// without Istio, and a pod that cannot get it is denied. `interceptor render webhook` prints the configuration by
/// which the API server calls it.
///
/// Without --tls-cert and --tls-key, it makes its certificate itself. All replicas share it, in a Secret, and write its
/// authority into the configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Port for the API server; 0 takes a free one
    // Not INTERCEPTOR_WEBHOOK_PORT: Kubernetes sets that one to a URL in pods beside a Service of this name.
    #[arg(
        long,
        value_name = "PORT",
        env = "INTERCEPTOR_WEBHOOK_TLS_PORT",
        default_value_t = 15017
    )]
    pub(crate) port: u16,

    /// Port for /healthz, /readyz and /metrics, without TLS; 0 takes a free one
    #[arg(
        long,
        value_name = "PORT",
        env = "INTERCEPTOR_WEBHOOK_HTTP_PORT",
        default_value_t = 8080
    )]
    pub(crate) http_port: u16,

    /// File with the certificate, in PEM, and those between it and its authority. It is read again when it changes
    #[arg(
        long,
        value_name = "FILE",
        env = "INTERCEPTOR_WEBHOOK_TLS_CERT",
        requires = "tls_key"
    )]
    tls_cert: Option<PathBuf>,

    /// File with the key of the certificate, in PEM
    #[arg(
        long,
        value_name = "FILE",
        env = "INTERCEPTOR_WEBHOOK_TLS_KEY",
        requires = "tls_cert"
    )]
    tls_key: Option<PathBuf>,

    /// Namespace of the webhook's Service and Secret
    #[arg(long, value_name = "NAME", env = "POD_NAMESPACE")]
    namespace: Option<String>,

    /// Name of the webhook's Service [default: interceptor-webhook; interceptor-plain with --mode plain]
    #[arg(long, value_name = "NAME", env = "INTERCEPTOR_WEBHOOK_SERVICE")]
    service: Option<String>,

    /// Name of the Secret for the certificate that is made here [default: interceptor-webhook-tls;
    /// interceptor-plain-tls with --mode plain]
    #[arg(long, value_name = "NAME", env = "INTERCEPTOR_WEBHOOK_TLS_SECRET")]
    tls_secret: Option<String>,

    /// Name of the `MutatingWebhookConfiguration` that is to trust the certificate made here [default: zz-interceptor;
    /// zz-interceptor-plain with --mode plain]
    #[arg(long, value_name = "NAME", env = "INTERCEPTOR_WEBHOOK_CONFIG")]
    webhook_config: Option<String>,

    /// How to reach the API server [default: as the pod that this runs in]
    #[arg(long, value_name = "FILE", env = "KUBECONFIG")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Seconds to go on serving when asked to end, until the API server calls other replicas
    #[arg(
        long,
        value_name = "SECONDS",
        env = "INTERCEPTOR_WEBHOOK_SHUTDOWN_DELAY",
        default_value_t = 5
    )]
    pub(crate) shutdown_delay: u64,

    /// Seconds until the body of a request has to be here
    #[arg(
        long,
        value_name = "SECONDS",
        env = "INTERCEPTOR_WEBHOOK_BODY_TIMEOUT",
        default_value_t = 5
    )]
    pub(crate) body_timeout: u64,

    #[command(flatten)]
    pods: PodArgs,

    #[command(flatten)]
    pub(crate) log: LogArgs,
}

impl Cli {
    /// Reads the arguments of this process. Ends it if they are wrong, or ask for help.
    pub(crate) fn read() -> Self {
        let Line { args, other } = Line::parse();
        let command = match (other, args.pods.work()) {
            (Some(Other::Render(args)), _) => Command::Render(args),
            (Some(Other::Ask(args)), _) => Command::Ask(args),
            (None, Ok(work)) => Command::Run(Box::new(args), work),
            (None, Err(message)) => Line::command().error(ErrorKind::ArgumentConflict, message).exit(),
        };
        Self { command }
    }
}

impl Args {
    pub(crate) const fn mode(&self) -> Mode {
        self.pods.mode
    }

    /// The files with the certificate, if it is not to be made.
    pub(crate) fn certificate(&self) -> Option<Files> {
        let (certificate, key) = self.tls_cert.clone().zip(self.tls_key.clone())?;
        Some(Files { certificate, key })
    }

    /// Where the certificate is to be kept that is made.
    pub(crate) fn place(&self) -> Result<Place> {
        let namespace = self.namespace.clone().filter(|namespace| !namespace.is_empty());
        Ok(Place {
            namespace: namespace.context("Name the namespace of the webhook's Service with --namespace")?,
            service: or(self.service.as_ref(), self.mode().service()),
            secret: or(self.tls_secret.as_ref(), self.mode().secret()),
            configuration: or(self.webhook_config.as_ref(), self.mode().configuration()),
        })
    }
}

fn or(given: Option<&String>, default: &str) -> String {
    given.map_or(default, String::as_str).to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn a_certificate_without_its_key_is_refused() {
        let error = Line::try_parse_from(["interceptor-webhook", "--tls-cert", "tls.crt"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("--tls-key"), "{error}");
    }
    #[rstest]
    #[case::nothing_to_inject(&["--mode", "plain"], "--envoy-image and --envoy-config")]
    #[case::no_configuration(&["--mode", "plain", "--envoy-image", "envoy"], "--envoy-config")]
    #[case::the_plugin(&["--mode", "plain", "--data-path", "cni"], "--data-path init")]
    #[case::tproxy(&["--mode", "plain", "--tproxy"], "--tproxy")]
    #[case::another_mode(&["--envoy-image", "envoy"], "--mode plain")]
    fn flags_that_do_not_go_together_are_refused(#[case] flags: &[&str], #[case] named: &str) {
        let line = Line::try_parse_from([&["interceptor-webhook"], flags].concat()).unwrap();
        let message = line.args.pods.work().unwrap_err();
        assert!(message.contains(named), "{message}");
    }

    /// Kubernetes sets variables in pods for every Service of their namespace
    /// ([documentation](https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables)).
    #[test]
    fn no_variable_is_one_that_kubernetes_sets_for_the_service() {
        for service in [Mode::Rewrite, Mode::Plain].map(Mode::service) {
            let prefix = service.to_uppercase().replace('-', "_");
            let taken = ["PORT", "SERVICE_HOST", "SERVICE_PORT"].map(|last| format!("{prefix}_{last}"));
            let line = Line::command();
            let mut variables = line.get_arguments().filter_map(|argument| argument.get_env()?.to_str());
            assert!(!variables.any(|variable| taken.iter().any(|taken| taken == variable)));
        }
    }

    #[test]
    fn the_modes_share_no_name() {
        let [rewrite, plain] = [Mode::Rewrite, Mode::Plain];
        let names = |mode: Mode| [mode.configuration(), mode.service(), mode.secret(), mode.path()];
        assert!(names(rewrite).iter().all(|name| !names(plain).contains(name)));
        let line = Line::try_parse_from(["interceptor-webhook", "--namespace", "mesh", "--mode", "plain"]).unwrap();
        assert_eq!(line.args.place().unwrap().host(), "interceptor-plain.mesh.svc");
    }
}
