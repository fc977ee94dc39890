// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Flags of `istioctl kube-inject` that say how Istio's template is rendered
//! ([`kubeinject.go`](https://github.com/istio/istio/blob/master/istioctl/pkg/kubeinject/kubeinject.go)). This program
//! renders none, so each of these flags is refused, with what to do instead.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, error::ErrorKind};

/// Long name, short name.
const FLAGS: &[(&str, Option<char>)] = &[
    ("injectConfigFile", None),
    ("injectConfigMapName", None),
    ("meshConfigFile", None),
    ("meshConfigMapName", None),
    ("valuesFile", None),
    ("operatorFileName", None),
    ("webhookConfig", None),
    ("revision", Some('r')),
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

/// None of the flags was given.
#[derive(Debug)]
pub(super) struct KubeInjectFlags;

impl Args for KubeInjectFlags {
    fn augment_args(command: Command) -> Command {
        let argument = |(long, short): &(&'static str, Option<char>)| {
            // Whether it takes a value does not matter any more.
            let argument = Arg::new(*long).long(*long).hide(true).action(ArgAction::Append);
            argument.short(*short).num_args(0..=1).allow_hyphen_values(true)
        };
        FLAGS.iter().map(argument).fold(command, Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for KubeInjectFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        match FLAGS.iter().find(|(long, _short)| matches.contains_id(long)) {
            None => Ok(Self),
            Some((long, _short)) => Err(Error::raw(
                ErrorKind::UnknownArgument,
                format!(
                    "--{long} is about Istio's template, which this program does not render; give it to istioctl and \
                     pipe the result here: istioctl kube-inject --{long} … -f FILE | interceptor inject -f -\n"
                ),
            )),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        Self::from_arg_matches(matches).map(|_none| ())
    }
}
