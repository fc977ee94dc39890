// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The packages that are inside programs: those of this workspace and those of others. Tools that only run while
//! something is compiled are not among them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::architecture::Architecture;
use crate::programs::triple;
use crate::run::{ask, cargo};
use crate::workspace::root;

/// Is in the program `interceptor`, for the kernel.
const KERNEL: &str = "interceptor-ebpf";
const KERNEL_TRIPLE: &str = "bpfel-unknown-none";

pub(super) struct Packages {
    /// In the order of their names.
    pub(super) all: Vec<Package>,
}

#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression.
    pub(super) license: String,
    pub(super) origin: Origin,
    /// Where texts of its license may be: a folder, or one file.
    pub(super) texts: PathBuf,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A member of this workspace.
    Own,
    /// crates.io, with the SHA-256 of the package.
    Crates { repository: Option<String>, checksum: String },
    /// A package of Debian's, for machines of this architecture, as Debian calls it.
    Debian { architecture: String },
    /// Belongs to the compiler or to the system.
    Toolchain { homepage: &'static str },
}

impl Packages {
    /// What is in these programs for such a machine. They are named like their packages.
    pub(super) fn of(programs: &[&str], architecture: Architecture) -> Result<Self> {
        let triple = triple(architecture)?;
        let mut wanted = tree(programs, &triple)?;
        wanted.extend(tree(&[KERNEL], KERNEL_TRIPLE)?);
        let text = {
            let mut command = cargo(["metadata", "--locked", "--format-version", "1", "--filter-platform"]);
            ask(command.arg(&triple).current_dir(root()))?
        };
        let metadata: Value = serde_json::from_str(&text).context("cannot read what `cargo metadata` wrote")?;
        let lock = root().join("Cargo.lock");
        let checksums =
            checksums(&std::fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?);
        let packages = metadata["packages"].as_array().context("`cargo metadata` names no packages")?;
        let known = packages.iter().filter_map(|package| Some((key(package)?, package)));
        let known: BTreeMap<_, _> = known.collect();
        let mut all = Vec::new();
        for key in wanted {
            let package = known
                .get(&key)
                .with_context(|| format!("`cargo metadata` does not know {} {}", key.0, key.1))?;
            all.push(Package::read(package, key, &checksums)?);
        }
        Ok(Self { all })
    }

    /// These too.
    pub(super) fn and(mut self, more: impl IntoIterator<Item = Package>) -> Self {
        self.all.extend(more);
        self.all
            .sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
        self
    }
}

/// Name and version.
type Key = (String, String);

/// What cargo links into `programs` for a target. Macros are not among it.
fn tree(programs: &[&str], target: &str) -> Result<BTreeSet<Key>> {
    let mut command = cargo(["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--no-dedupe"]);
    command.args(["--target", target, "--format", "{p}"]).current_dir(root());
    command.args(programs.iter().flat_map(|program| ["--package", program]));
    let lines = ask(&mut command)?;
    lines.lines().filter(|line| !line.is_empty()).map(read_line).collect()
}

/// `aya v0.14.0`, `interceptor v0.1.0 (/home/user/interceptor/interceptor)`
fn read_line(line: &str) -> Result<Key> {
    let mut words = line.split_whitespace();
    let key = words.next().zip(words.next().and_then(|version| version.strip_prefix('v')));
    let (name, version) = key.with_context(|| format!("`cargo tree` wrote {line:?}"))?;
    Ok((name.to_owned(), version.to_owned()))
}

fn key(package: &Value) -> Option<Key> {
    Some((package["name"].as_str()?.to_owned(), package["version"].as_str()?.to_owned()))
}

/// By name and version, from `Cargo.lock`. Members have none.
fn checksums(lock: &str) -> BTreeMap<Key, String> {
    let mut found = BTreeMap::new();
    for block in lock.split("[[package]]") {
        let field = |name: &str| {
            let mut lines = block.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            value.map(|value| value.trim_matches('"').to_owned())
        };
        if let (Some(name), Some(version), Some(checksum)) = (field("name"), field("version"), field("checksum")) {
            found.insert((name, version), checksum);
        }
    }
    found
}

impl Package {
    fn read(package: &Value, key: Key, checksums: &BTreeMap<Key, String>) -> Result<Self> {
        let text = |field: &str| package[field].as_str().map(str::to_owned);
        let license = text("license").with_context(|| format!("the package {} names no license", key.0))?;
        let manifest = text("manifest_path").map(PathBuf::from);
        let texts = manifest.and_then(|manifest| Some(manifest.parent()?.to_owned()));
        let origin = match text("source") {
            None => Origin::Own,
            Some(_registry) => Origin::Crates {
                repository: text("repository"),
                checksum: checksums
                    .get(&key)
                    .cloned()
                    .with_context(|| format!("Cargo.lock has no checksum of {} {}", key.0, key.1))?,
            },
        };
        let (name, version) = key;
        // An old way to write `OR`.
        let license = license.replace(" / ", " OR ").replace('/', " OR ");
        Ok(Self {
            name,
            version,
            license,
            origin,
            texts: texts.context("a package without a manifest")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_the_plugin_are_its_own_and_those_of_the_kernel_object() {
        let packages = Packages::of(&["interceptor-cni"], Architecture::here().unwrap()).unwrap();
        let find = |name: &str| packages.all.iter().find(|package| package.name == name);
        assert_eq!(find("interceptor-wire").unwrap().origin, Origin::Own);
        let Origin::Crates { checksum, .. } = &find("serde_json").unwrap().origin else {
            panic!("{:?}", find("serde_json"))
        };
        assert_eq!(checksum.len(), 64);
        assert!(find("aya-ebpf").is_some());
        for absent in ["kube", "clap", "serde_derive", "tempfile"] {
            assert!(find(absent).is_none(), "{absent}");
        }
        assert!(packages.all.iter().all(|package| !package.license.contains('/')));
    }

    #[test]
    fn a_line_of_the_tree_is_a_name_and_a_version() {
        assert_eq!(read_line("aya v0.14.0").unwrap(), ("aya".to_owned(), "0.14.0".to_owned()));
        assert_eq!(read_line("x v0.1.0 (/a b/x)").unwrap(), ("x".to_owned(), "0.1.0".to_owned()));
        assert!(read_line("nothing").is_err());
    }
}
