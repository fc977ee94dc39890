// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rules as data, and the text that `iptables-restore` reads. Nothing here knows what a rule is for.

use std::fmt::{self, Display};

pub(super) const PREROUTING: &str = "PREROUTING";
pub(super) const OUTPUT: &str = "OUTPUT";
/// How the names of Istio's own chains begin. All other chains are the kernel's.
const OWN: &str = "ISTIO_";
pub(super) const ISTIO_INBOUND: &str = "ISTIO_INBOUND";
pub(super) const ISTIO_OUTPUT: &str = "ISTIO_OUTPUT";
pub(super) const ISTIO_OUTPUT_DNS: &str = "ISTIO_OUTPUT_DNS";
pub(super) const ISTIO_REDIRECT: &str = "ISTIO_REDIRECT";
pub(super) const ISTIO_IN_REDIRECT: &str = "ISTIO_IN_REDIRECT";
pub(super) const ISTIO_DIVERT: &str = "ISTIO_DIVERT";
pub(super) const ISTIO_TPROXY: &str = "ISTIO_TPROXY";
pub(super) const ISTIO_DROP: &str = "ISTIO_DROP";

/// The rules of one table, in the order in which they are written. Packets meet them in another order, because some
/// rules are inserted before others.
#[derive(Debug)]
pub(super) struct Table {
    name: &'static str,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    chain: &'static str,
    /// Where the rule is inserted, counting from 1. `None` is at the end.
    position: Option<u32>,
    /// Matches and target.
    arguments: String,
}

impl Table {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, rules: Vec::new() }
    }

    /// Adds a rule after the others of its chain.
    pub(super) fn append(&mut self, chain: &'static str, arguments: impl Display) {
        self.rules
            .push(Rule { chain, position: None, arguments: arguments.to_string() });
    }

    /// Adds a rule before the rule that is at `position`.
    pub(super) fn insert(&mut self, chain: &'static str, position: u32, arguments: impl Display) {
        self.rules
            .push(Rule { chain, position: Some(position), arguments: arguments.to_string() });
    }

    /// The chains to make, each once: first the chains with rules, then chains that are only jumped to.
    fn own_chains(&self) -> Vec<&str> {
        let with_rules = self.rules.iter().map(|rule| rule.chain);
        let jumped_to = self.rules.iter().filter_map(Rule::target);
        let mut chains = Vec::new();
        for chain in with_rules.chain(jumped_to) {
            if chain.starts_with(OWN) && !chains.contains(&chain) {
                chains.push(chain);
            }
        }
        chains
    }
}

impl Rule {
    /// The target, unless it has arguments.
    fn target(&self) -> Option<&str> {
        self.arguments.rsplit_once("-j ").map(|(_matches, target)| target)
    }
}

impl Display for Table {
    /// A table without rules is written as nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, rules } = self;
        if rules.is_empty() {
            return Ok(());
        }
        writeln!(f, "* {name}")?;
        for chain in self.own_chains() {
            writeln!(f, "-N {chain}")?;
        }
        for Rule { chain, position, arguments } in rules {
            match position {
                None => writeln!(f, "-A {chain} {arguments}")?,
                Some(position) => writeln!(f, "-I {chain} {position} {arguments}")?,
            }
        }
        writeln!(f, "COMMIT")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_without_rules_is_not_written() {
        assert_eq!(Table::new("raw").to_string(), "");
    }

    #[test]
    fn chains_are_made_once_and_before_the_rules() {
        let mut table = Table::new("nat");
        table.append(OUTPUT, "-j ISTIO_OUTPUT");
        table.append(ISTIO_REDIRECT, "-p tcp -j REDIRECT --to-ports 15001");
        table.append(ISTIO_OUTPUT, "-d 127.0.0.1/32 -j RETURN");
        table.insert(ISTIO_OUTPUT, 1, "-p tcp -j ISTIO_DROP");
        let text = "* nat\n-N ISTIO_REDIRECT\n-N ISTIO_OUTPUT\n-N ISTIO_DROP\n-A OUTPUT -j ISTIO_OUTPUT\n\
            -A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001\n-A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN\n\
            -I ISTIO_OUTPUT 1 -p tcp -j ISTIO_DROP\nCOMMIT\n";
        assert_eq!(table.to_string(), text);
    }

    #[test]
    fn targets_of_the_kernel_are_not_chains() {
        let mut table = Table::new("mangle");
        table.append(PREROUTING, "-j ACCEPT");
        table.append(OUTPUT, "-p tcp -j CONNMARK --save-mark");
        assert_eq!(table.own_chains(), Vec::<&str>::new());
    }
}
