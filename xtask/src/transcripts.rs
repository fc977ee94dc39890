// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask transcripts`: compares `interceptor render iptables` with what the tests of `istio-iptables` expect
//! of the real program, line by line and chain by chain.
//!
//! Their files lie in `tools/istio-iptables/pkg/capture/testdata` of <https://github.com/istio/istio>, the
//! configurations in `run_test.go` beside it.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::programs::host_cargo;
use crate::run::{ask, exec, say};
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// `tools/istio-iptables/pkg/capture/testdata` of a checkout of Istio
    directory: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let Options { directory } = options;
    let there = names(directory)?;
    exec(host_cargo("build").args(["--bin", "interceptor"]))?;
    let target = Workspace::load()?.target_dir;
    let mut differing = Vec::new();
    for configuration in CONFIGURATIONS {
        let path = directory.join(format!("{}.golden", configuration.name));
        let expected = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let rendered = configuration.render(&target)?;
        let different = difference(&rules(&expected), &rules(&rendered));
        say(&format!(
            "{} {}",
            if different.is_none() { "equal  " } else { "DIFFERS" },
            configuration.name
        ));
        differing.extend(different.map(|lines| format!("{}:\n{lines}", configuration.name)));
    }
    let known: BTreeSet<String> = CONFIGURATIONS
        .iter()
        .map(|configuration| configuration.name.to_owned())
        .collect();
    let unknown: Vec<&String> = there.difference(&known).collect();
    ensure!(
        differing.is_empty(),
        "{} of {} differ\n{}",
        differing.len(),
        CONFIGURATIONS.len(),
        differing.join("\n")
    );
    ensure!(
        unknown.is_empty(),
        "all {} known transcripts are equal, but {unknown:?} are of configurations that are not known here; see \
         run_test.go of that Istio",
        CONFIGURATIONS.len()
    );
    say(&format!("all {} transcripts are equal", CONFIGURATIONS.len()));
    Ok(())
}

/// What belongs to one of the transcripts.
struct Configuration {
    name: &'static str,
    /// Beside [`BASE`].
    flags: &'static str,
    /// The DNS servers of `resolv.conf`.
    servers: &'static [&'static str],
    variable: Option<(&'static str, &'static str)>,
}

impl Configuration {
    const fn new(name: &'static str, flags: &'static str) -> Self {
        Self { name, flags, servers: &[], variable: None }
    }

    const fn servers(self, servers: &'static [&'static str]) -> Self {
        Self { servers, ..self }
    }

    const fn variable(self, name: &'static str, value: &'static str) -> Self {
        Self { variable: Some((name, value)), ..self }
    }

    fn render(&self, target: &Path) -> Result<String> {
        let resolv_conf = target.join("transcripts-resolv.conf");
        let servers: Vec<String> = self.servers.iter().map(|server| format!("nameserver {server}\n")).collect();
        fs::write(&resolv_conf, servers.concat()).with_context(|| format!("cannot write {}", resolv_conf.display()))?;
        let mut command = Command::new(target.join("debug/interceptor"));
        command
            .args(["render", "iptables", "--resolv-conf"])
            .arg(&resolv_conf)
            .args(BASE)
            .args(self.flags.split_whitespace());
        ask(command.env_clear().envs(self.variable))
    }
}

/// That of the tests.
const BASE: [&str; 4] = ["-u", "1337", "-g", "1337"];

/// Groups that the tests name and that need not exist here, by the numbers that stand for them.
const GROUPS: [(&str, &str); 2] = [("java", "5501"), ("ftp", "5502")];

#[rustfmt::skip]
const CONFIGURATIONS: &[Configuration] = &[
    Configuration::new("empty", ""),
    Configuration::new("ipv6-empty-inbound-ports", "--pod-ip fd00::5 --dual-stack"),
    Configuration::new("ip-range", "-x 1.1.0.0/16 -i 9.9.0.0/16 --redirect-dns -u 3,4 -g 1,2").servers(&["127.0.0.53"]),
    Configuration::new("tproxy", "-m TPROXY -b * -x 1.1.0.0/16 -i 9.9.0.0/16 --redirect-dns -c not-istio-nic \
                        --pod-ip fd00::5 --dual-stack")
        .servers(&["127.0.0.53"]),
    Configuration::new("ipv6-inbound-ports", "-b 4000,5000 --pod-ip fd00::5 --dual-stack"),
    Configuration::new("ipv6-virt-interfaces", "-b 4000,5000 -k eth0,eth1 --pod-ip fd00::5 --dual-stack"),
    Configuration::new("ipv6-ipnets", "-b 4000,5000 -d 6000,7000 -k eth0,eth1 -x 2001:db8::/32 -i 2001:db8::/32 \
                        --pod-ip fd00::5 --dual-stack"),
    Configuration::new("ipv6-uid-gid",
        "-b 4000,5000 -d 6000,7000 -k eth0,eth1 -x 2001:db8::/32 -i 2001:db8::/32 -u 3,4 -g 1,2 --pod-ip fd00::5 \
         --dual-stack"),
    Configuration::new("ipv6-outbound-ports", "-q 32000,31000 --pod-ip fd00::5 --dual-stack"),
    Configuration::new("kube-virt-interfaces", "-k eth1,eth2 -i *"),
    Configuration::new("ipnets-with-kube-virt-interfaces", "-k eth1,eth2 -i 10.0.0.0/8"),
    Configuration::new("ipnets", "-i 10.0.0.0/8"),
    Configuration::new("inbound-ports-include", "-b 32000,31000"),
    Configuration::new("inbound-ports-wildcard", "-b *"),
    Configuration::new("inbound-ports-tproxy", "-m TPROXY -b 32000,31000"),
    Configuration::new("inbound-ports-wildcard-tproxy", "-m TPROXY -b *"),
    Configuration::new("dns-uid-gid", "--redirect-dns -u 3,4 -g 1,2 --pod-ip fd00::5 \
                        --dual-stack").servers(&["127.0.0.53", "::127.0.0.53"]),
    Configuration::new("ipv6-dns-uid-gid", "--redirect-dns -u 3,4 -g 1,2 --pod-ip fd00::5 --dual-stack"),
    Configuration::new("outbound-owner-groups", "").variable("ISTIO_OUTBOUND_OWNER_GROUPS", "5501,202"),
    Configuration::new("outbound-owner-groups-exclude", "").variable("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", "888,5502"),
    Configuration::new("ipv6-dns-outbound-owner-groups", "--redirect-dns --pod-ip fd00::5 --dual-stack")
        .variable("ISTIO_OUTBOUND_OWNER_GROUPS", "5501,202"),
    Configuration::new("ipv6-dns-outbound-owner-groups-exclude", "--redirect-dns --pod-ip fd00::5 --dual-stack")
        .variable("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", "888,5502"),
    Configuration::new("outbound-ports-include", "-q 32000,31000"),
    Configuration::new("loopback-outbound-iprange", "-i 127.1.2.3/32 --redirect-dns -u 3,4 -g \
                        1,2").servers(&["127.0.0.53"]),
    Configuration::new("basic-exclude-nic", "-c not-istio-nic"),
    Configuration::new("drop-invalid", "").variable("INVALID_DROP", "true"),
    Configuration::new("host-ipv4-loopback-cidr", "").variable("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "127.0.0.1/8"),
];

/// The names of the transcripts that are there.
fn names(directory: &Path) -> Result<BTreeSet<String>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let files: Vec<String> = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    Ok(files
        .iter()
        .filter_map(|file| file.strip_suffix(".golden"))
        .map(str::to_owned)
        .collect())
}

/// The text for iptables-restore, without the calls to iptables-save that a transcript shows and the comments that
/// are ours, and with one spelling for each address and group.
fn rules(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.ends_with("tables-save"));
    lines
        .map(|line| line.split(' ').map(spelled).collect::<Vec<_>>().join(" "))
        .collect()
}

fn spelled(word: &str) -> String {
    if let Some((_, number)) = GROUPS.iter().find(|(name, _)| *name == word) {
        return (*number).to_owned();
    }
    match word
        .split_once('/')
        .map(|(address, length)| (address.parse::<IpAddr>(), length))
    {
        Some((Ok(address), length)) => format!("{address}/{length}"),
        _ => word.to_owned(),
    }
}

/// The first lines that are not the same.
fn difference(expected: &[String], rendered: &[String]) -> Option<String> {
    let place = (0..expected.len().max(rendered.len())).find(|place| expected.get(*place) != rendered.get(*place))?;
    let line = |lines: &[String]| lines.get(place).map_or_else(|| "(the end)".to_owned(), String::clone);
    Some(format!(
        "  rule {}\n  istio-iptables: {}\n  interceptor:    {}",
        place + 1,
        line(expected),
        line(rendered)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rules_are_compared_and_spelling_is_not() {
        let ours =
            "# IPv6, for ip6tables-restore\n* nat\n-A A -d ::7f00:35/128 -m owner --gid-owner 5501 -j RETURN\nCOMMIT\n";
        let theirs = "iptables-save\nip6tables-save\n* nat\n-A A -d ::127.0.0.53/128 -m owner --gid-owner java -j \
                      RETURN\nCOMMIT\n";
        assert_eq!(rules(ours), rules(theirs));
        assert_eq!(rules(ours).len(), 3);
    }

    #[test]
    fn the_first_difference_is_shown() {
        let [one, two] = ["a\nb\nc", "a\nb"].map(rules);
        assert_eq!(difference(&one, &one), None);
        assert_eq!(
            difference(&one, &two).unwrap(),
            "  rule 3\n  istio-iptables: c\n  interceptor:    (the end)"
        );
        assert_eq!(
            difference(&rules("a\nx"), &two).unwrap(),
            "  rule 2\n  istio-iptables: x\n  interceptor:    b"
        );
    }

    #[test]
    fn each_transcript_is_known_once() {
        let names: BTreeSet<_> = CONFIGURATIONS.iter().map(|configuration| configuration.name).collect();
        assert_eq!(names.len(), CONFIGURATIONS.len());
    }
}
