// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Flags of `istioctl kube-inject`, by its names
//! ([`kubeinject.go`](https://github.com/istio/istio/blob/master/istioctl/pkg/kubeinject/kubeinject.go)): where Istio's
//! configuration is, and how a cluster is reached. This program asks no cluster, so the latter have no effect where all
//! files are given, as with istioctl.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

/// What Istio's template is rendered with.
#[derive(Debug, Args)]
#[command(next_help_heading = "With --mode istio (as istioctl kube-inject)")]
pub(super) struct TemplateFlags {
    /// Istio's injection template, a configuration with templates, or a manifest of the `ConfigMap`
    /// istio-sidecar-injector
    #[arg(long = "injectConfigFile", value_name = "FILE")]
    pub(super) inject: Option<PathBuf>,

    /// Istio's mesh configuration, or a manifest of the `ConfigMap` istio
    #[arg(long = "meshConfigFile", value_name = "FILE")]
    pub(super) mesh: Option<PathBuf>,

    /// Istio's Helm values, as YAML or JSON, or a manifest of the `ConfigMap` istio-sidecar-injector
    #[arg(long = "valuesFile", value_name = "FILE")]
    pub(super) values: Option<PathBuf>,

    /// Revision of Istio
    #[arg(short, long, value_name = "NAME")]
    pub(super) revision: Option<String>,

    /// Leave the init container istio-init as Istio makes it
    #[arg(long)]
    pub(super) keep_istio_init: bool,
}

impl TemplateFlags {
    /// One of the flags that was given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let Self { inject, mesh, values, revision, keep_istio_init } = self;
        let given = [
            ("injectConfigFile", inject.is_some()),
            ("meshConfigFile", mesh.is_some()),
            ("valuesFile", values.is_some()),
            ("revision", revision.is_some()),
            ("keep-istio-init", *keep_istio_init),
        ];
        given.into_iter().find_map(|(name, is_given)| is_given.then_some(name))
    }
}

/// Long name, short name.
const OF_CLUSTER: &[(&str, Option<char>)] = &[
    ("injectConfigMapName", None),
    ("meshConfigMapName", None),
    ("webhookConfig", None),
    ("istioNamespace", Some('i')),
    ("namespace", Some('n')),
    ("kubeconfig", Some('c')),
    ("context", None),
    ("as", None),
    ("as-group", None),
    ("as-uid", None),
    ("kubeclient-timeout", None),
    ("xds-address", None),
    ("xds-label", None),
    ("xds-port", None),
    ("cert-dir", None),
    ("authority", None),
    ("timeout", None),
    ("insecure", None),
    ("plaintext", None),
    ("vklog", None),
];
/// Flags that are no more than names.
const SWITCHES: [&str; 2] = ["insecure", "plaintext"];
const OPERATOR: &str = "operatorFileName";

/// Which of the flags about a cluster was given.
#[derive(Debug)]
pub(super) struct ClusterFlags {
    pub(super) given: Option<&'static str>,
    /// Whether there is a file with an `IstioOperator`.
    pub(super) operator: bool,
}

impl Args for ClusterFlags {
    fn augment_args(command: Command) -> Command {
        let argument = |(long, short): &(&'static str, Option<char>)| {
            let argument = Arg::new(*long).long(*long).short(*short).hide(true).action(ArgAction::Append);
            let values = if SWITCHES.contains(long) { 0..=1 } else { 1..=1 };
            argument
                .num_args(values)
                .require_equals(SWITCHES.contains(long))
                .allow_hyphen_values(true)
        };
        OF_CLUSTER
            .iter()
            .chain(&[(OPERATOR, None)])
            .map(argument)
            .fold(command, Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ClusterFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = OF_CLUSTER
            .iter()
            .map(|(long, _short)| *long)
            .find(|long| matches.contains_id(long));
        Ok(Self { given, operator: matches.contains_id(OPERATOR) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
