// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A configuration: which addresses the pod has, its DNS servers, and the flags and environment of `istio-iptables`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    str::FromStr,
};

use anyhow::{Context as _, bail};

use crate::Stack;

/// Written as a command line: `stack=v4 servers=10.96.0.10 ISTIO_OUTBOUND_OWNER_GROUPS='2000' --redirect-dns -u
/// '1337' -i '*'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub stack: Stack,
    /// The servers in `resolv.conf`.
    pub servers: Vec<IpAddr>,
    pub environment: BTreeMap<String, String>,
    /// Flags without a value.
    pub switches: BTreeSet<String>,
    /// By the flag's letter.
    pub flags: BTreeMap<char, String>,
}

/// Flags that are compared here.
const LETTERS: &str = "pzeugbdixqomtrc";

pub const OWNER_GROUPS: &str = "ISTIO_OUTBOUND_OWNER_GROUPS";
pub const OWNER_GROUPS_EXCLUDE: &str = "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE";
pub const LOOPBACK_CIDR: &str = "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR";
pub const META_DNS_CAPTURE: &str = "ISTIO_META_DNS_CAPTURE";
const VARIABLES: &[&str] = &[OWNER_GROUPS, OWNER_GROUPS_EXCLUDE, LOOPBACK_CIDR, META_DNS_CAPTURE];

pub const REDIRECT_DNS: &str = "redirect-dns";
pub const CAPTURE_ALL_DNS: &str = "capture-all-dns";
pub const DROP_INVALID: &str = "drop-invalid";
const SWITCHES: &[&str] = &[REDIRECT_DNS, CAPTURE_ALL_DNS, DROP_INVALID];

impl Config {
    /// Without any flag.
    pub fn new(stack: Stack) -> Self {
        Self {
            stack,
            servers: Vec::new(),
            environment: BTreeMap::new(),
            switches: BTreeSet::new(),
            flags: BTreeMap::new(),
        }
    }

    /// The value of a flag, by default what `istio-iptables` takes.
    pub fn flag(&self, letter: char) -> &str {
        let given = self
            .flags
            .get(&letter)
            .map(String::as_str)
            .filter(|value| !value.is_empty() || !"ug".contains(letter));
        given.unwrap_or_else(|| match letter {
            'p' => "15001",
            'z' => "15006",
            'e' => "15008",
            'u' | 't' => "1337",
            'g' => self.flag('u'),
            'r' => "133",
            _ => "",
        })
    }

    /// The items of a list; empty ones are dropped.
    pub fn list(&self, letter: char) -> Vec<&str> {
        items(self.flag(letter))
    }

    pub fn has(&self, switch: &str) -> bool {
        self.switches.contains(switch)
    }

    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// Whether inbound connections go to the sidecar by TPROXY.
    pub fn is_tproxy(&self) -> bool {
        self.flag('m') == "TPROXY"
    }

    /// The user and group that a sidecar of this configuration runs as: root, if it needs transparent sockets.
    pub fn proxy(&self) -> (u32, u32) {
        let first = |letter| self.list(letter).first().and_then(|item| item.split('-').next()?.parse().ok());
        (
            if self.is_tproxy() { 0 } else { first('u').unwrap_or(1337) },
            first('g').unwrap_or(1337),
        )
    }

    /// For `interceptor istio-iptables`.
    pub fn arguments(&self) -> Vec<String> {
        let flags = self
            .flags
            .iter()
            .flat_map(|(letter, value)| [format!("-{letter}"), value.clone()]);
        let switches = self.switches.iter().map(|switch| format!("--{switch}"));
        flags
            .chain(switches)
            .chain(self.stack.enroll_flags().iter().copied().map(str::to_owned))
            .collect()
    }

    /// The pod's `resolv.conf`.
    pub fn resolv_conf(&self) -> String {
        self.servers
            .iter()
            .map(|server| format!("nameserver {server}\n"))
            .collect::<Vec<_>>()
            .concat()
    }
}

pub fn items(list: &str) -> Vec<&str> {
    list.split(',').filter(|item| !item.is_empty()).collect()
}

impl fmt::Display for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stack, servers, environment, switches, flags } = self;
        write!(formatter, "stack={stack}")?;
        if !servers.is_empty() {
            let servers: Vec<String> = servers.iter().map(IpAddr::to_string).collect();
            write!(formatter, " servers={}", servers.join(","))?;
        }
        environment
            .iter()
            .try_for_each(|(name, value)| write!(formatter, " {name}='{value}'"))?;
        switches.iter().try_for_each(|switch| write!(formatter, " --{switch}"))?;
        flags
            .iter()
            .try_for_each(|(letter, value)| write!(formatter, " -{letter} '{value}'"))
    }
}

impl FromStr for Config {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut config = Self::new(Stack::V4);
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            if let Some(switch) = word.strip_prefix("--") {
                if !SWITCHES.contains(&switch) {
                    bail!("flag {word:?} is not compared");
                }
                config.switches.insert(switch.to_owned());
            } else if let Some(letter) = word.strip_prefix('-') {
                let letter: char = letter.parse().with_context(|| format!("flag {word:?}"))?;
                if !LETTERS.contains(letter) {
                    bail!("flag {word:?} is not compared");
                }
                config
                    .flags
                    .insert(letter, unquoted(words.next().with_context(|| format!("a value after {word}"))?));
            } else {
                match word
                    .split_once('=')
                    .with_context(|| format!("{word:?} is neither flag nor variable"))?
                {
                    ("stack", stack) => config.stack = stack.parse()?,
                    ("servers", servers) => {
                        config.servers = items(servers).into_iter().map(str::parse).collect::<Result<_, _>>()?;
                    }
                    (name, value) if VARIABLES.contains(&name) => {
                        config.environment.insert(name.to_owned(), unquoted(value));
                    }
                    (name, _) => bail!("variable {name} is not compared"),
                }
            }
        }
        Ok(config)
    }
}

fn unquoted(word: &str) -> String {
    word.trim_matches('\'').to_owned()
}
