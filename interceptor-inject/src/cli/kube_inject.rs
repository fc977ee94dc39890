// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Flags of `istioctl kube-inject`, by its names
//! ([`kubeinject.go`](https://github.com/istio/istio/blob/master/istioctl/pkg/kubeinject/kubeinject.go)): where Istio's
//! configuration is, and how a cluster is reached. The latter have no effect where all files are given, as with
//! istioctl.

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

/// How a cluster is asked for what no file says.
#[derive(Debug, Args)]
#[command(next_help_heading = "With --mode istio, about a cluster (as istioctl kube-inject)")]
pub(super) struct ClusterFlags {
    /// `ConfigMap` with templates and values, where --injectConfigFile is not given and no webhook is found, or
    /// --valuesFile is not given [default: istio-sidecar-injector, and the revision]
    #[arg(long = "injectConfigMapName", value_name = "NAME")]
    pub(super) inject_map: Option<String>,

    /// `ConfigMap` with the mesh configuration, where --meshConfigFile is not given [default: istio, and the revision]
    #[arg(long = "meshConfigMapName", value_name = "NAME")]
    pub(super) mesh_map: Option<String>,

    /// Namespace of Istio [default: istio-system]
    #[arg(short, long = "istioNamespace", value_name = "NAME")]
    pub(super) istio_namespace: Option<String>,

    /// How to reach the API server [default: KUBECONFIG, or .kube/config in the home directory]
    #[arg(short = 'c', long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,

    /// User to ask as
    #[arg(long = "as", value_name = "USER")]
    pub(super) user: Option<String>,

    /// Group to ask as; may be repeated
    #[arg(long = "as-group", value_name = "GROUP")]
    pub(super) groups: Vec<String>,

    /// Unique name of the user to ask as
    #[arg(long = "as-uid", value_name = "UID")]
    pub(super) uid: Option<String>,

    /// Time that an answer may take, such as 20s or 1m [default: 15s]
    #[arg(long = "kubeclient-timeout", value_name = "TIME", value_parser = seconds)]
    pub(super) patience: Option<u64>,

    /// Host of istiod, to ask it directly instead of through the API server
    #[arg(long = "xds-address", value_name = "HOST")]
    pub(super) xds_address: Option<String>,
}

impl ClusterFlags {
    /// One of the flags that was given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let Self {
            inject_map,
            mesh_map,
            istio_namespace,
            kubeconfig,
            context,
            user,
            groups,
            uid,
            patience,
            xds_address,
        } = self;
        let given = [
            ("injectConfigMapName", inject_map.is_some()),
            ("meshConfigMapName", mesh_map.is_some()),
            ("istioNamespace", istio_namespace.is_some()),
            ("kubeconfig", kubeconfig.is_some()),
            ("context", context.is_some()),
            ("as", user.is_some()),
            ("as-group", !groups.is_empty()),
            ("as-uid", uid.is_some()),
            ("kubeclient-timeout", patience.is_some()),
            ("xds-address", xds_address.is_some()),
        ];
        given.into_iter().find_map(|(name, is_given)| is_given.then_some(name))
    }
}

/// Whole seconds of a duration as Go writes it, such as `1m30s`.
fn seconds(text: &str) -> Result<u64, &'static str> {
    const WANTED: &str = "write seconds or minutes, such as 15s or 1m";
    let mut rest = text;
    let mut all = 0_u64;
    while let Some(end) = rest.find(['m', 's']) {
        let number: u64 = rest[..end].parse().map_err(|_no_number| WANTED)?;
        let unit = if rest[end..].starts_with('m') { 60 } else { 1 };
        all = number
            .checked_mul(unit)
            .and_then(|seconds| all.checked_add(seconds))
            .ok_or(WANTED)?;
        rest = &rest[end + 1..];
    }
    if rest.is_empty() && (1..=3600).contains(&all) { Ok(all) } else { Err(WANTED) }
}

/// Flags without an effect: long name, short name.
const IGNORED: &[(&str, Option<char>)] = &[
    ("webhookConfig", None),
    ("namespace", Some('n')),
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

/// Which of the flags without an effect was given.
#[derive(Debug)]
pub(super) struct OtherFlags {
    pub(super) given: Option<&'static str>,
    /// Whether there is a file with an `IstioOperator`.
    pub(super) operator: bool,
}

impl Args for OtherFlags {
    fn augment_args(command: Command) -> Command {
        let argument = |(long, short): &(&'static str, Option<char>)| {
            let argument = Arg::new(*long).long(*long).short(*short).hide(true).action(ArgAction::Append);
            let values = if SWITCHES.contains(long) { 0..=1 } else { 1..=1 };
            argument
                .num_args(values)
                .require_equals(SWITCHES.contains(long))
                .allow_hyphen_values(true)
        };
        IGNORED
            .iter()
            .chain(&[(OPERATOR, None)])
            .map(argument)
            .fold(command, Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for OtherFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = IGNORED
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::seconds;

    #[rstest]
    #[case("15s", Some(15))]
    #[case("1m30s", Some(90))]
    #[case("2m", Some(120))]
    #[case("0s", None)]
    #[case("15", None)]
    #[case("2h", None)]
    #[case("s", None)]
    #[case("99999999999999999999s", None)]
    fn times_are_written_as_go_writes_them(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(seconds(text).ok(), expected);
    }
}
