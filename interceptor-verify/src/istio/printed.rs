// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A configuration as `interceptor enroll` prints it and the agent records it, as one that is compared here.

use std::{collections::BTreeMap, net::IpAddr};

use anyhow::{Context as _, bail, ensure};

use super::config::{
    CAPTURE_ALL_DNS, Config, DROP_INVALID, LOOPBACK_CIDR, OWNER_GROUPS, OWNER_GROUPS_EXCLUDE, REDIRECT_DNS,
};
use crate::Stack;

/// What becomes of a printed setting.
enum Becomes {
    Flag(char),
    Variable(&'static str),
    Switch(&'static str),
    Servers,
    DataPath,
    /// It does not say where a connection goes, or it is known otherwise.
    Nothing,
}

#[rustfmt::skip]
const NAMES: &[(&str, Becomes)] = &[
    ("PROXY_PORT", Becomes::Flag('p')),
    ("PROXY_INBOUND_CAPTURE_PORT", Becomes::Flag('z')),
    ("PROXY_TUNNEL_PORT", Becomes::Flag('e')),
    ("PROXY_UID", Becomes::Flag('u')),
    ("PROXY_GID", Becomes::Flag('g')),
    ("INBOUND_INTERCEPTION_MODE", Becomes::Flag('m')),
    ("INBOUND_PORTS_INCLUDE", Becomes::Flag('b')),
    ("INBOUND_PORTS_EXCLUDE", Becomes::Flag('d')),
    ("OUTBOUND_IP_RANGES_INCLUDE", Becomes::Flag('i')),
    ("OUTBOUND_IP_RANGES_EXCLUDE", Becomes::Flag('x')),
    ("OUTBOUND_PORTS_INCLUDE", Becomes::Flag('q')),
    ("OUTBOUND_PORTS_EXCLUDE", Becomes::Flag('o')),
    ("INBOUND_TPROXY_MARK", Becomes::Flag('t')),
    ("INBOUND_TPROXY_ROUTE_TABLE", Becomes::Flag('r')),
    ("EXCLUDE_INTERFACES", Becomes::Flag('c')),
    ("HOST_IPV4_LOOPBACK_CIDR", Becomes::Variable(LOOPBACK_CIDR)),
    ("OUTBOUND_OWNER_GROUPS_INCLUDE", Becomes::Variable(OWNER_GROUPS)),
    ("OUTBOUND_OWNER_GROUPS_EXCLUDE", Becomes::Variable(OWNER_GROUPS_EXCLUDE)),
    ("DNS_CAPTURE", Becomes::Switch(REDIRECT_DNS)),
    ("CAPTURE_ALL_DNS", Becomes::Switch(CAPTURE_ALL_DNS)),
    ("DROP_INVALID", Becomes::Switch(DROP_INVALID)),
    ("DNS_SERVERS", Becomes::Servers),
    ("DATA_PATH", Becomes::DataPath),
    ("DUAL_STACK", Becomes::Nothing),
    ("KUBE_VIRT_INTERFACES", Becomes::Nothing), // refused where it is not empty
    ("GUARD", Becomes::Nothing),
    ("ACCELERATE_BUDGET", Becomes::Nothing),
    ("FORCE_ACCELERATE", Becomes::Nothing),
    ("NETWORK_NAMESPACE", Becomes::Nothing),
    ("CNI_MODE", Becomes::Nothing),
    ("RECONCILE", Becomes::Nothing),
    ("CLEANUP_ONLY", Becomes::Nothing),
    ("FORCE_APPLY", Becomes::Nothing),
    ("NATIVE_NFTABLES", Becomes::Nothing),
    ("FORCE_IPTABLES_BINARY", Becomes::Nothing),
    ("DRY_RUN", Becomes::Nothing),
    ("DRY_RUN_FILE_PATH", Becomes::Nothing),
    ("SKIP_RULE_APPLY", Becomes::Nothing),
    ("RUN_VALIDATION", Becomes::Nothing),
    ("IPTABLES_PROBE_PORT", Becomes::Nothing),
    ("PROBE_TIMEOUT", Becomes::Nothing),
];

impl Config {
    /// The configuration that prints these texts under these names, for pods with these addresses.
    pub fn from_printed(printed: &BTreeMap<String, String>, stack: Stack) -> anyhow::Result<Self> {
        let mut config = Self::new(stack);
        for (name, text) in printed {
            let row = NAMES.iter().find(|(known, _)| known == name);
            let (_, becomes) = row.with_context(|| format!("the setting {name} cannot be compared by this version"))?;
            match becomes {
                Becomes::Flag(letter) => {
                    // A comparison is written as one line of words.
                    ensure!(
                        !text.contains(char::is_whitespace),
                        "the value of {name} has a space in it: {text:?}"
                    );
                    config.flags.insert(*letter, text.clone());
                }
                Becomes::Variable(variable) => {
                    config.environment.insert((*variable).to_owned(), text.clone());
                }
                Becomes::Switch(switch) => match text.as_str() {
                    "true" => config.switches.extend([(*switch).to_owned()]),
                    "false" => {}
                    other => bail!("{name} is neither true nor false: {other:?}"),
                },
                Becomes::Servers => config.servers = servers(text)?,
                Becomes::DataPath => ensure!(
                    text != "iptables",
                    "this configuration asks for rules of iptables (--data-path iptables), so there is nothing to \
                     compare them with"
                ),
                Becomes::Nothing => {}
            }
        }
        // What is so anyway is left out of what people read.
        let is_tproxy = config.is_tproxy();
        config.flags.retain(|letter, text| match letter {
            'm' => is_tproxy,
            't' | 'r' => is_tproxy && text != Self::new(stack).flag(*letter),
            'p' | 'z' | 'e' => text != Self::new(stack).flag(*letter),
            _ => !text.is_empty(),
        });
        config
            .environment
            .retain(|name, text| !DEFAULTS.contains(&(name.as_str(), text.as_str())));
        Ok(config)
    }
}

/// What variables are without a value.
const DEFAULTS: &[(&str, &str)] = &[(LOOPBACK_CIDR, "127.0.0.1/32"), (OWNER_GROUPS, "*"), (OWNER_GROUPS_EXCLUDE, "")];

/// From `[10.96.0.10],[fd00::a fd00::b]`.
fn servers(printed: &str) -> anyhow::Result<Vec<IpAddr>> {
    let servers = printed.split(['[', ']', ',', ' ']).filter(|server| !server.is_empty());
    servers
        .map(|server| {
            server
                .parse()
                .with_context(|| format!("DNS_SERVERS has {server:?}, which is no address"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn printed(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
        settings
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn what_is_recorded_is_what_is_compared() {
        let recorded = printed(&[
            ("PROXY_UID", "1337"),
            ("OUTBOUND_IP_RANGES_INCLUDE", "*"),
            ("INBOUND_PORTS_INCLUDE", ""),
            ("INBOUND_TPROXY_MARK", "1337"),
            ("DNS_CAPTURE", "true"),
            ("DNS_SERVERS", "[10.96.0.10],[fd00::a]"),
            ("OUTBOUND_OWNER_GROUPS_INCLUDE", "2000"),
            ("GUARD", "auto"),
        ]);
        let config = Config::from_printed(&recorded, Stack::Dual).unwrap();
        let expected =
            "stack=dual servers=10.96.0.10,fd00::a ISTIO_OUTBOUND_OWNER_GROUPS='2000' --redirect-dns -i '*' -u '1337'";
        assert_eq!(config.to_string(), expected);
        assert_eq!(expected.parse::<Config>().unwrap(), config);
    }

    #[rstest]
    #[case::unknown("COLOR", "red", "COLOR")]
    #[case::rules("DATA_PATH", "iptables", "nothing to compare")]
    #[case::word("DNS_CAPTURE", "maybe", "DNS_CAPTURE")]
    #[case::server("DNS_SERVERS", "[one],[]", "no address")]
    #[case::space("OUTBOUND_PORTS_INCLUDE", "1, 2", "space")]
    fn what_cannot_be_compared_is_named(#[case] name: &str, #[case] text: &str, #[case] error: &str) {
        let refused = Config::from_printed(&printed(&[(name, text)]), Stack::V4).unwrap_err();
        assert!(format!("{refused:#}").contains(error), "{refused:#}");
    }
}
