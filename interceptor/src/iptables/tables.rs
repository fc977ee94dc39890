// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rules as `iptables-save` and `iptables-restore` write them, and which of them are ours. Nothing here runs anything.
//!
//! Istio's rules are put in force as they are. What tells them from rules that Istio itself wrote are two chains that
//! no packet passes. They hold a copy of each rule that stands in a chain of the kernel:
//!
//! ```text
//! -A OUTPUT -j ISTIO_OUTPUT                 what istio-iptables writes
//! -A INTERCEPTOR_OUTPUT -j ISTIO_OUTPUT     says that it is ours, and what to delete when the pod is unenrolled
//! ```
//!
//! So what is set up says itself what it is, and it goes with the network namespace.

use std::fmt::Write as _;

/// How the names of Istio's own chains begin.
const ISTIO: &str = "ISTIO_";
/// How the names of the chains begin that say which rules are ours.
const OURS: &str = "INTERCEPTOR_";

/// The rules of one address family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tables(Vec<Table>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table {
    name: String,
    /// The chains, except those of the kernel.
    chains: Vec<String>,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    chain: String,
    /// Where the rule is inserted, counting from 1. `None` is at the end.
    position: Option<String>,
    arguments: String,
}

impl Tables {
    /// Reads what `iptables-save` prints, or what `iptables-restore` reads. Comments, counters and policies are left
    /// out.
    pub(super) fn parse(text: &str) -> Self {
        let mut tables: Vec<Table> = Vec::new();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix('*') {
                tables.push(Table { name: name.trim().to_owned(), ..Table::default() });
            } else if let Some(table) = tables.last_mut() {
                table.read(line);
            }
        }
        Self(tables)
    }

    /// Whether some of the rules were written by this program.
    pub(super) fn has_ours(&self) -> bool {
        self.0.iter().any(Table::is_marked)
    }

    /// Whether there is any rule, whoever wrote it.
    pub(super) fn has_rules(&self) -> bool {
        self.0.iter().any(|table| !table.rules.is_empty() || !table.chains.is_empty())
    }

    /// The text that puts `wanted` in the place of what is ours here. Each table changes at one instant.
    pub(super) fn replaced_by(&self, wanted: &Self) -> String {
        let mut text = String::new();
        for new in &wanted.0 {
            let old = self.0.iter().find(|old| old.name == new.name);
            let removal = old.map(Table::removal).unwrap_or_default();
            write_table(&mut text, &new.name, &(removal + &new.addition()));
        }
        for old in &self.0 {
            if wanted.0.iter().all(|new| new.name != old.name) {
                write_table(&mut text, &old.name, &old.removal());
            }
        }
        text
    }

    /// The text that removes what is ours.
    pub(super) fn removal(&self) -> String {
        self.replaced_by(&Self::default())
    }

    /// The tables that are here and not there.
    pub(super) fn not_in(&self, other: &Self) -> Self {
        let is_new = |table: &&Table| other.0.iter().all(|there| there.name != table.name);
        Self(self.0.iter().filter(is_new).cloned().collect())
    }
}

impl Table {
    fn read(&mut self, line: &str) {
        if let Some(chain) = line.strip_prefix(':').or_else(|| line.strip_prefix("-N ")) {
            let name = chain.split(' ').next().unwrap_or_default();
            if is_own(name) {
                self.chains.push(name.to_owned());
            }
        } else if let Some((chain, arguments)) = line.strip_prefix("-A ").and_then(|rule| rule.split_once(' ')) {
            self.push(chain, None, arguments);
        } else if let Some((chain, rule)) = line.strip_prefix("-I ").and_then(|rule| rule.split_once(' '))
            && let Some((position, arguments)) = rule.split_once(' ')
        {
            self.push(chain, Some(position), arguments);
        }
    }

    fn push(&mut self, chain: &str, position: Option<&str>, arguments: &str) {
        let (chain, position) = (chain.to_owned(), position.map(str::to_owned));
        self.rules.push(Rule { chain, position, arguments: arguments.to_owned() });
    }

    fn is_marked(&self) -> bool {
        self.chains.iter().any(|chain| chain.starts_with(OURS))
    }

    /// The commands that delete what is ours: the rules of which there is a copy, and all chains of Istio. A pod with
    /// chains that somebody else wrote never gets ours.
    fn removal(&self) -> String {
        let mut commands = String::new();
        if !self.is_marked() {
            return commands;
        }
        let mut there: Vec<&Rule> = self.rules.iter().collect();
        for copy in &self.rules {
            let Some(chain) = copy.chain.strip_prefix(OURS) else { continue };
            let is_it = |rule: &&Rule| {
                rule.chain == chain && rule.arguments == copy.arguments && is_written_by_us(&rule.arguments)
            };
            // Somebody may have deleted it.
            if let Some(at) = there.iter().position(is_it) {
                there.remove(at);
                line(&mut commands, format_args!("-D {chain} {}", copy.arguments));
            }
        }
        for command in ["-F", "-X"] {
            for chain in &self.chains {
                line(&mut commands, format_args!("{command} {chain}"));
            }
        }
        commands
    }

    /// The commands that add these rules, and the copies that say they are ours.
    fn addition(&self) -> String {
        let mut commands = String::new();
        // Also in a table that has no such rule, because its chains are ours as well.
        let copies = ["PREROUTING", "OUTPUT"].map(|chain| format!("{OURS}{chain}"));
        for chain in self.chains.iter().chain(&copies) {
            line(&mut commands, format_args!("-N {chain}"));
        }
        for Rule { chain, position, arguments } in &self.rules {
            match position {
                None => line(&mut commands, format_args!("-A {chain} {arguments}")),
                Some(position) => line(&mut commands, format_args!("-I {chain} {position} {arguments}")),
            }
            if !is_own(chain) {
                line(&mut commands, format_args!("-A {OURS}{chain} {arguments}"));
            }
        }
        commands
    }
}

fn is_own(chain: &str) -> bool {
    let is_plain = chain.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_plain && (chain.starts_with(ISTIO) || chain.starts_with(OURS))
}

/// Whether rules of ours in chains of the kernel look like this. Who has `CAP_NET_ADMIN` in the pod can write other
/// copies, and names of chains with line breaks. What comes of it must not name a file of the host, or a module.
fn is_written_by_us(arguments: &str) -> bool {
    const OPTIONS: [&str; 16] = [
        "-i",
        "-o",
        "-p",
        "-s",
        "-d",
        "-m",
        "-j",
        "--mark",
        "--ctstate",
        "--uid-owner",
        "--gid-owner",
        "--save-mark",
        "--restore-mark",
        "--set-xmark",
        "--nfmask",
        "--ctmask",
    ];
    const MATCHES: [&str; 7] = ["tcp", "udp", "multiport", "owner", "mark", "connmark", "conntrack"];
    const TARGETS: [&str; 3] = ["RETURN", "MARK", "CONNMARK"];

    let words: Vec<&str> = arguments.split(' ').collect();
    let is_plain = |word: &&str| {
        word.bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\'))
    };
    let is_known = |word: &&str| !word.starts_with('-') || OPTIONS.contains(word);
    let is_fine = |pair: &[&str]| match pair {
        ["-m", name] => MATCHES.contains(name),
        ["-j", name] => TARGETS.contains(name) || is_own(name),
        _ => true,
    };
    words.iter().all(|word| is_plain(word) && is_known(word)) && words.windows(2).all(is_fine)
}

fn write_table(text: &mut String, name: &str, commands: &str) {
    if !commands.is_empty() {
        line(text, format_args!("*{name}\n{commands}COMMIT"));
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    writeln!(text, "{line}").unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: &str = "\
* nat
-N ISTIO_OUTPUT
-A OUTPUT -j ISTIO_OUTPUT
-I PREROUTING 1 -i net1 -j RETURN
-A ISTIO_OUTPUT -p tcp -j RETURN
COMMIT
";

    const SAVED: &str = "\
# Generated by iptables-nft-save v1.8.9 (nf_tables)
*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [1:2]
:INTERCEPTOR_OUTPUT - [0:0]
:INTERCEPTOR_PREROUTING - [0:0]
:ISTIO_OUTPUT - [0:0]
-A PREROUTING -i net1 -j RETURN
-A OUTPUT -d 192.0.2.1/32 -j RETURN
-A OUTPUT -j ISTIO_OUTPUT
-A INTERCEPTOR_OUTPUT -j ISTIO_OUTPUT
-A INTERCEPTOR_PREROUTING -i net1 -j RETURN
-A ISTIO_OUTPUT -p tcp -j RETURN
COMMIT
";

    #[test]
    fn rules_are_written_with_a_copy_of_those_in_chains_of_the_kernel() {
        let text = Tables::default().replaced_by(&Tables::parse(WANTED));
        let expected = "\
*nat
-N ISTIO_OUTPUT
-N INTERCEPTOR_PREROUTING
-N INTERCEPTOR_OUTPUT
-A OUTPUT -j ISTIO_OUTPUT
-A INTERCEPTOR_OUTPUT -j ISTIO_OUTPUT
-I PREROUTING 1 -i net1 -j RETURN
-A INTERCEPTOR_PREROUTING -i net1 -j RETURN
-A ISTIO_OUTPUT -p tcp -j RETURN
COMMIT
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_rule_of_somebody_else_is_not_removed() {
        let expected = "\
*nat
-D OUTPUT -j ISTIO_OUTPUT
-D PREROUTING -i net1 -j RETURN
-F INTERCEPTOR_OUTPUT
-F INTERCEPTOR_PREROUTING
-F ISTIO_OUTPUT
-X INTERCEPTOR_OUTPUT
-X INTERCEPTOR_PREROUTING
-X ISTIO_OUTPUT
COMMIT
";
        assert_eq!(Tables::parse(SAVED).removal(), expected);
    }

    #[test]
    fn a_rule_that_somebody_has_deleted_is_not_deleted_again() {
        let without = SAVED.replace("-A OUTPUT -j ISTIO_OUTPUT\n", "");
        let removal = Tables::parse(&without).removal();
        assert!(!removal.contains("-D OUTPUT"), "{removal}");
        assert!(removal.contains("-X ISTIO_OUTPUT"), "{removal}");
    }

    #[test]
    fn a_copy_that_we_never_wrote_is_not_followed() {
        for argument in ["-m bpf --object-pinned /x -j RETURN", "-j NFLOG", "-m ../x -j RETURN", "-m mark --mark \"1"] {
            let saved = SAVED.replace("-i net1 -j RETURN", argument);
            let removal = Tables::parse(&saved).removal();
            assert!(!removal.contains("-D PREROUTING") && removal.contains("-D OUTPUT"), "{removal}");
        }
        for argument in [
            "! -d 127.0.0.1/32 -o lo -p tcp -m owner --uid-owner 1337 -j MARK --set-xmark 0x53a/0xffffffff",
            "-p tcp -m connmark --mark 0x539 -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
            "-m conntrack --ctstate INVALID -j ISTIO_DROP",
        ] {
            let saved = SAVED.replace("-i net1 -j RETURN", argument);
            assert!(Tables::parse(&saved).removal().contains(&format!("-D PREROUTING {argument}\n")));
        }
    }

    #[test]
    fn old_rules_make_place_for_new_ones_in_one_commit() {
        let text = Tables::parse(SAVED).replaced_by(&Tables::parse(WANTED));
        assert_eq!(text.matches("COMMIT").count(), 1, "{text}");
        assert!(text.find("-X ISTIO_OUTPUT") < text.find("-N ISTIO_OUTPUT"), "{text}");
        let raw = SAVED.replace("*nat", "*raw");
        let text = Tables::parse(&raw).replaced_by(&Tables::parse(WANTED));
        assert_eq!(text.matches("COMMIT").count(), 2, "{text}");
    }

    #[test]
    fn what_istio_wrote_is_not_ours() {
        let theirs: Vec<&str> = SAVED.lines().filter(|line| !line.contains(OURS)).collect();
        let theirs = Tables::parse(&theirs.join("\n"));
        assert!(!theirs.has_ours());
        assert_eq!(theirs.removal(), "");
        assert!(Tables::parse(SAVED).has_ours());
    }

    #[test]
    fn tables_that_were_not_there_are_found() {
        let [nat, raw] = [SAVED.to_owned(), SAVED.replace("*nat", "*raw")];
        let both = Tables::parse(&format!("{nat}{raw}"));
        assert_eq!(both.not_in(&Tables::parse(&nat)), Tables::parse(&raw));
    }
}
