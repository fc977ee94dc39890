// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Compares what `render::iptables` writes with transcripts of the real `istio-iptables`:
//!
//! ```text
//! cargo run -p interceptor --example compare-goldens -- istio/tools/istio-iptables/pkg/capture/testdata
//! ```
//!
//! The transcripts are in the public repository of Istio, <https://github.com/istio/istio>, in the folder above, made by `TestIptables`
//! of `run_test.go` next to it; what that test sets for each name is the table in [`Configuration::of`]. A transcript holds the input
//! of `iptables-restore` and, where IPv6 is on, that of `ip6tables-restore`.
//!
//! Every table must have the same chains, and every chain the same rules in the order in which packets meet them. Names of groups
//! count as the numbers they stand for, and an address however it is spelled. Fails if anything differs, if a file has a name that
//! is not in the table, and if there is no file.
#![expect(clippy::print_stdout, reason = "the comparison is what this program is for")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use interceptor::policy::{
    Accounts, IstioConfig, IstioFlags, ResolvConf,
    render::{self, Rendered},
};
use ipnet::IpNet;

/// Compare rendered rules with transcripts of istio-iptables
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder of the transcripts, files named *.golden
    folder: PathBuf,
}

fn main() -> Result<ExitCode> {
    let Arguments { folder } = Arguments::parse();
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("Failed to list {}", folder.display()))? {
        files.push(entry.with_context(|| format!("Failed to list {}", folder.display()))?.path());
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "golden"));
    files.sort();
    ensure!(!files.is_empty(), "{} holds no transcript (*.golden)", folder.display());

    let mut failed = 0;
    for file in &files {
        let name = file.file_stem().map(|name| name.to_string_lossy()).unwrap_or_default();
        match compare(file, &name) {
            Ok(agreement) => println!("same     {name}: {agreement}"),
            Err(difference) => {
                failed += 1;
                println!("DIFFERS  {name}: {difference:#}");
            }
        }
    }
    println!("{} of {} transcripts have the same rules", files.len() - failed, files.len());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How the test behind a transcript departs from Istio's defaults.
#[derive(Clone, Copy, Default)]
struct Configuration {
    flags: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    resolv_conf: &'static str,
    ipv6: bool,
}

impl Configuration {
    fn of(name: &str) -> Option<Self> {
        const VIRTUAL: &[&str] = &["-b=4000,5000", "-d=6000,7000,", "-k=eth0,eth1", "-x=2001:db8::/32", "-i=2001:db8::/32"];
        const VIRTUAL_IDS: &[&str] =
            &["-b=4000,5000", "-d=6000,7000", "-k=eth0,eth1", "-x=2001:db8::/32", "-i=2001:db8::/32", "-u=3,4", "-g=1,2"];
        const DNS_IDS: &[&str] = &["--redirect-dns", "-u=3,4", "-g=1,2"];
        const SERVER: &str = "nameserver 127.0.0.53\n";
        let flags = |flags| Self { flags, ..Self::default() };
        let variables = |variables| Self { variables, ..Self::default() };
        let v6 = |other: Self| Self { ipv6: true, ..other };
        let dns = |resolv_conf, other: Self| Self { resolv_conf, ..other };
        let groups = variables(&[("ISTIO_OUTBOUND_OWNER_GROUPS", "java,202")]);
        let groups_excluded = variables(&[("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", "888,ftp")]);
        Some(match name {
            "empty" => Self::default(),
            "ipv6-empty-inbound-ports" => v6(Self::default()),
            "ip-range" => dns(SERVER, flags(&["-x=1.1.0.0/16", "-i=9.9.0.0/16", "--redirect-dns", "-u=3,4", "-g=1,2"])),
            "tproxy" => {
                let flags = flags(&["-m=TPROXY", "-b=*", "-x=1.1.0.0/16", "-i=9.9.0.0/16", "--redirect-dns", "-c=not-istio-nic"]);
                v6(dns(SERVER, flags))
            }
            "ipv6-inbound-ports" => v6(flags(&["-b=4000,5000"])),
            "ipv6-virt-interfaces" => v6(flags(&["-b=4000,5000", "-k=eth0,eth1"])),
            "ipv6-ipnets" => v6(flags(VIRTUAL)),
            "ipv6-uid-gid" => v6(flags(VIRTUAL_IDS)),
            "ipv6-outbound-ports" => v6(flags(&["-q=32000,31000"])),
            "kube-virt-interfaces" => flags(&["-k=eth1,eth2", "-i=*"]),
            "ipnets-with-kube-virt-interfaces" => flags(&["-k=eth1,eth2", "-i=10.0.0.0/8"]),
            "ipnets" => flags(&["-i=10.0.0.0/8"]),
            "inbound-ports-include" => flags(&["-b=32000,31000"]),
            "inbound-ports-wildcard" => flags(&["-b=*"]),
            "inbound-ports-tproxy" => flags(&["-b=32000,31000", "-m=TPROXY"]),
            "inbound-ports-wildcard-tproxy" => flags(&["-b=*", "-m=TPROXY"]),
            "dns-uid-gid" => v6(dns("nameserver 127.0.0.53\nnameserver ::127.0.0.53\n", flags(DNS_IDS))),
            "ipv6-dns-uid-gid" => v6(flags(DNS_IDS)),
            "outbound-owner-groups" => groups,
            "outbound-owner-groups-exclude" => groups_excluded,
            "ipv6-dns-outbound-owner-groups" => v6(Self { flags: &["--redirect-dns"], ..groups }),
            "ipv6-dns-outbound-owner-groups-exclude" => v6(Self { flags: &["--redirect-dns"], ..groups_excluded }),
            "outbound-ports-include" => flags(&["-q=32000,31000"]),
            "loopback-outbound-iprange" => dns(SERVER, flags(&["-i=127.1.2.3/32", "--redirect-dns", "-u=3,4", "-g=1,2"])),
            "basic-exclude-nic" => flags(&["-c=not-istio-nic"]),
            "drop-invalid" => flags(&["--drop-invalid"]),
            "host-ipv4-loopback-cidr" => variables(&[("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "127.0.0.1/8")]),
            _ => return None,
        })
    }

    fn render(self) -> Result<Rendered> {
        #[derive(Parser)]
        struct Flags {
            #[command(flatten)]
            istio: IstioFlags,
        }
        let Self { flags, variables, resolv_conf, ipv6 } = self;
        let flags = Flags::try_parse_from([&["istio-iptables"], flags].concat())?.istio;
        let variable = |name: &str| variables.iter().find(|(set, _value)| *set == name).map(|(_set, value)| (*value).to_owned());
        let resolv_conf = ResolvConf { path: Path::new("/etc/resolv.conf"), read: &|_path| Ok(resolv_conf.into()) };
        let (config, _warnings) = IstioConfig::resolve(&flags, &variable, &Groups, resolv_conf)?;
        Ok(render::iptables(&config, ipv6))
    }
}

/// The groups that the transcripts name.
struct Groups;

impl Accounts for Groups {
    fn uid(&self, _name: &str) -> Option<u32> {
        None
    }

    fn gid(&self, name: &str) -> Option<u32> {
        [("java", 7001), ("ftp", 7002)].iter().find(|(known, _id)| *known == name).map(|(_known, id)| *id)
    }

    fn service(&self, _name: &str) -> Option<u16> {
        None
    }
}

/// Says how they agree, or fails with the differences.
fn compare(file: &Path, name: &str) -> Result<String> {
    let configuration = Configuration::of(name).context("no configuration is known for this name")?;
    let transcript = fs::read_to_string(file).with_context(|| format!("Failed to read {}", file.display()))?;
    let Rendered { v4, v6 } = configuration.render()?;
    let rendered: Vec<String> = std::iter::once(v4).chain(v6).collect();
    let written = restore_inputs(&transcript);
    ensure!(written.len() == rendered.len(), "the transcript has rules for {} families, rendered are {}", written.len(), rendered.len());

    let (mut agreement, mut differences) = (Vec::new(), String::new());
    for ((family, written), rendered) in ["IPv4", "IPv6"].iter().zip(&written).zip(&rendered) {
        let (theirs, ours) = (chains(written)?, chains(rendered)?);
        for (table, chain) in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
            let key = (table.clone(), chain.clone());
            differences += &difference(&format!("{family}, {table} {chain}"), theirs.get(&key), ours.get(&key));
        }
        let count = theirs.values().map(Vec::len).sum::<usize>();
        let how = if written == rendered { "to the letter" } else { "in the same chains and order" };
        agreement.push(format!("{family}, {count} rules, {how}"));
    }
    if differences.is_empty() { Ok(agreement.join("; ")) } else { bail!("{differences}") }
}

/// The parts of a transcript that are input of `iptables-restore`: first IPv4, then IPv6 if it is there. The tables of a family
/// are in alphabetical order, so a table that is not after the one before it is the next family's.
fn restore_inputs(transcript: &str) -> Vec<String> {
    let mut inputs: Vec<String> = Vec::new();
    let mut last_table = "";
    for line in transcript.lines().filter(|line| !line.ends_with("tables-save")) {
        if let Some(table) = line.strip_prefix("* ") {
            if inputs.is_empty() || table <= last_table {
                inputs.push(String::new());
            }
            last_table = table;
        }
        if let Some(input) = inputs.last_mut() {
            *input += line;
            input.push('\n');
        }
    }
    inputs
}

/// The rules of each chain of each table, in the order in which packets meet them.
type Chains = BTreeMap<(String, String), Vec<String>>;

fn chains(input: &str) -> Result<Chains> {
    let mut chains = Chains::new();
    let mut table = "";
    for line in input.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let key = |chain: &str| (table.to_owned(), chain.to_owned());
        match words.as_slice() {
            ["*", name] => table = name,
            ["-N", chain] => ensure!(chains.insert(key(chain), Vec::new()).is_none(), "`{line}`: the chain is there already"),
            ["-A", chain, rule @ ..] => rules_of(&mut chains, key(chain), line)?.push(normal(rule)),
            ["-I", chain, position, rule @ ..] => {
                let position: usize = position.parse().with_context(|| format!("`{line}` has no position"))?;
                let rules = rules_of(&mut chains, key(chain), line)?;
                ensure!((1..=rules.len() + 1).contains(&position), "`{line}`: the chain has {} rules", rules.len());
                rules.insert(position - 1, normal(rule));
            }
            ["COMMIT"] => {}
            _ => bail!("`{line}` is not understood"),
        }
    }
    Ok(chains)
}

fn rules_of<'a>(chains: &'a mut Chains, key: (String, String), line: &str) -> Result<&'a mut Vec<String>> {
    ensure!(chains.contains_key(&key) || !key.1.starts_with("ISTIO_"), "`{line}`: the chain is not made");
    Ok(chains.entry(key).or_default())
}

/// A rule with its spelling taken out.
fn normal(rule: &[&str]) -> String {
    let normal = |word: &&str| match (Groups.gid(word), word.parse::<IpNet>()) {
        (Some(id), _) => id.to_string(),
        (None, Ok(range)) => range.to_string(),
        (None, Err(_not_a_range)) => (*word).to_owned(),
    };
    rule.iter().map(normal).collect::<Vec<_>>().join(" ")
}

/// A chain as the transcript has it and as it is rendered; nothing if it is the same.
fn difference(place: &str, theirs: Option<&Vec<String>>, ours: Option<&Vec<String>>) -> String {
    if theirs == ours {
        return String::new();
    }
    let list = |sign, rules: Option<&Vec<String>>| match rules {
        None => format!("\n    {sign} no such chain"),
        Some(rules) => rules.iter().map(|rule| format!("\n    {sign} {rule}")).collect::<Vec<_>>().concat(),
    };
    format!("\n  {place}:{}{}", list('-', theirs), list('+', ours))
}
