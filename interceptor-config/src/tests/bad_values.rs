// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A bad value for every flag and every variable of `istio-iptables`: who refuses it, and that the message says which
//! it is.

use std::collections::BTreeSet;

use clap::Parser as _;

use super::*;

/// What becomes of a bad value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    /// Go's flag library refuses it, and in a variable puts another value in its place.
    Usage,
    /// The command line refuses it as Go's flag library does. In a variable it is refused too.
    OurUsage,
    /// Refused wherever it stands: Istio refuses it, or `iptables-restore` would.
    Refused,
    /// Istio takes any value.
    Taken,
}

use Judged::{OurUsage, Refused, Taken, Usage};

const FLAGS: &[(&str, &str, Judged)] = &[
    ("envoy-port", "abc", Refused),
    ("inbound-capture-port", "70000", Refused),
    ("inbound-tunnel-port", "15008:15009", Refused),
    ("proxy-uid", "nobody-here", Refused),
    ("proxy-gid", "nogroup-here", Refused),
    ("istio-inbound-interception-mode", "tproxy", Taken),
    ("istio-inbound-ports", "abc", Refused),
    ("istio-local-exclude-ports", "90:80", Refused),
    ("istio-exclude-interfaces", "a-name-of-16-byt", Refused),
    ("istio-service-cidr", "10.0.0.0/33", Refused),
    ("istio-service-exclude-cidr", "10.0.0.1", Refused),
    ("istio-outbound-ports", "65536", Refused),
    ("istio-local-outbound-ports-exclude", "80-90", Refused),
    ("kube-virt-interfaces", "a-name-of-16-byt", Refused),
    ("istio-inbound-tproxy-mark", "red", Refused),
    ("istio-inbound-tproxy-route-table", "local", Refused),
    ("dry-run", "perhaps", Usage),
    ("iptables-probe-port", "65536", Usage),
    ("probe-timeout", "5", Usage),
    ("skip-rule-apply", "yes", Usage),
    ("run-validation", "2", Usage),
    ("redirect-dns", "on", Usage),
    ("capture-all-dns", "off", Usage),
    ("drop-invalid", "perhaps", Usage),
    ("dual-stack", "perhaps", Usage),
    ("network-namespace", "no such file", Taken),
    ("cni-mode", "perhaps", Usage),
    ("reconcile", "perhaps", Usage),
    ("cleanup-only", "perhaps", Usage),
    ("force-apply", "perhaps", Usage),
    ("native-nftables", "perhaps", Usage),
    ("force-iptables-binary", "nftables", Refused),
    ("data-path", "perhaps", Refused),
    ("guard", "perhaps", Refused),
    ("accelerate", "perhaps", OurUsage),
    ("accelerate-budget", "131071", Refused),
    ("force-accelerate", "perhaps", OurUsage),
    ("log_output_level", "no such level", Taken),
    ("log_as_json", "perhaps", Usage),
    ("log_target", "/no/such/file", Taken),
    ("log_caller", "no such scope", Taken),
    ("log_stacktrace_level", "no such level", Taken),
    ("vklog", "no number", Taken),
];

/// Those without a flag.
const VARIABLES: &[(&str, &str, Judged)] = &[
    ("ISTIO_OUTBOUND_OWNER_GROUPS", "nogroup-here", Refused),
    ("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", "2000-1000", Refused),
    ("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "10.0.0.1/8", Refused),
    ("ENVOY_USER", "nobody-here", Taken),
    ("DRY_RUN_FILE_PATH", "no such directory/file", Taken),
];

#[test]
fn every_setting_has_a_bad_value() {
    let flags: BTreeSet<_> = Setting::ALL.iter().filter_map(|setting| setting.flag()).collect();
    assert_eq!(
        FLAGS.iter().map(|(flag, _value, _judged)| *flag).collect::<BTreeSet<_>>(),
        flags
    );
    let without_flag = Setting::ALL.iter().filter(|setting| setting.flag().is_none());
    let variables: BTreeSet<_> = without_flag.flat_map(|setting| setting.variables()).copied().collect();
    assert_eq!(
        VARIABLES.iter().map(|(name, _value, _judged)| *name).collect::<BTreeSet<_>>(),
        variables
    );
}

#[test]
fn on_the_command_line() {
    for (flag, value, judged) in FLAGS {
        let argument = format!("--{flag}={value}");
        let (found, message) = match Cli::try_parse_from(["istio-iptables", &argument]) {
            Err(refused) => (Usage, refused.to_string()),
            Ok(_) => resolve(&[&argument], &[])
                .map_or_else(|refused| (Refused, refused.to_string()), |_| (Taken, argument.clone())),
        };
        let expected = if *judged == OurUsage { Usage } else { *judged };
        assert_eq!(found, expected, "{message}");
        assert!(
            message.contains(&format!("--{flag}")) && message.contains(value),
            "{argument}: {message}"
        );
    }
}

#[test]
fn in_the_environment() {
    for setting in Setting::ALL {
        for (_flag, value, judged) in FLAGS.iter().filter(|(flag, _value, _judged)| setting.flag() == Some(flag)) {
            for variable in setting.variables() {
                look_in_the_environment(variable, value, *judged);
            }
        }
    }
    for (variable, value, judged) in VARIABLES {
        look_in_the_environment(variable, value, *judged);
    }
}

fn look_in_the_environment(variable: &str, value: &str, judged: Judged) {
    let named = |message: &str| {
        assert!(
            message.contains(variable) && message.contains(value),
            "{variable}={value}: {message}"
        );
    };
    match (judged, resolve(&[], &[(variable, value)])) {
        (Refused | OurUsage, Err(refused)) => named(&refused.to_string()),
        (Usage, Ok((_config, warnings))) => named(&warnings.join("\n")),
        (Taken, Ok(_)) => {}
        (judged, result) => panic!("{variable}={value} is not {judged:?}: {result:?}"),
    }
}
