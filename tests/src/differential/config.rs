// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A configuration: which addresses the pod has, and the flags and environment of `istio-iptables`.

use std::{collections::BTreeMap, fmt, str::FromStr};

use anyhow::{Context as _, bail};

use crate::scene::Stack;

/// Written as a command line: `stack=v4 ISTIO_OUTBOUND_OWNER_GROUPS='2000' -u '1337' -i '*'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub stack: Stack,
    /// By the flag's letter.
    pub flags: BTreeMap<char, String>,
    pub environment: BTreeMap<String, String>,
}

/// Flags that are compared here.
const LETTERS: &str = "pzeugbdixqomtr";

pub(super) const OWNER_GROUPS: &str = "ISTIO_OUTBOUND_OWNER_GROUPS";
pub(super) const OWNER_GROUPS_EXCLUDE: &str = "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE";
pub(super) const LOOPBACK_CIDR: &str = "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR";

impl Config {
    /// The value of a flag, by default what `istio-iptables` takes.
    pub fn flag(&self, letter: char) -> &str {
        let given = self.flags.get(&letter).map(String::as_str).filter(|value| !value.is_empty() || !"ug".contains(letter));
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
        (if self.is_tproxy() { 0 } else { first('u').unwrap_or(1337) }, first('g').unwrap_or(1337))
    }

    /// For `interceptor istio-iptables`.
    pub fn arguments(&self) -> Vec<String> {
        let flags = self.flags.iter().flat_map(|(letter, value)| [format!("-{letter}"), value.clone()]);
        flags.chain(self.stack.enrol_flags().iter().copied().map(str::to_owned)).collect()
    }
}

pub(super) fn items(list: &str) -> Vec<&str> {
    list.split(',').filter(|item| !item.is_empty()).collect()
}

impl fmt::Display for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "stack={}", self.stack)?;
        for (name, value) in &self.environment {
            write!(formatter, " {name}='{value}'")?;
        }
        for (letter, value) in &self.flags {
            write!(formatter, " -{letter} '{value}'")?;
        }
        Ok(())
    }
}

impl FromStr for Config {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut config = Self { stack: Stack::V4, flags: BTreeMap::new(), environment: BTreeMap::new() };
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            if let Some(letter) = word.strip_prefix('-') {
                let letter: char = letter.parse().with_context(|| format!("flag {word:?}"))?;
                if !LETTERS.contains(letter) {
                    bail!("flag {word:?} is not compared");
                }
                config.flags.insert(letter, unquoted(words.next().with_context(|| format!("a value after {word}"))?));
            } else {
                match word.split_once('=').with_context(|| format!("{word:?} is neither flag nor variable"))? {
                    ("stack", "v4") => config.stack = Stack::V4,
                    ("stack", "v6") => config.stack = Stack::V6,
                    ("stack", "dual") => config.stack = Stack::Dual,
                    (name @ (OWNER_GROUPS | OWNER_GROUPS_EXCLUDE | LOOPBACK_CIDR), value) => {
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
