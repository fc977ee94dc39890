// SPDX-License-Identifier: Apache-2.0 OR MIT
//! iptables, `ip` and what they are linked with, out of Debian's packages. apt fetches and verifies them; nothing is
//! installed.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tar::{Archive, EntryType};

use super::contents::Contents;
use super::packages::{Origin, Package};
use crate::apt::Apt;
use crate::architecture::Architecture;
use crate::run::{ask, ask_bytes};

/// Names, and licenses of what is taken.
const PACKAGES: [(&str, &str); 14] = [
    ("iproute2", "GPL-2.0-only"),
    ("iptables", "GPL-2.0-or-later"),
    ("libbpf1", "LGPL-2.1-only OR BSD-2-Clause"),
    ("libbsd0", "BSD-3-Clause"),
    ("libc6", "LGPL-2.1-or-later"),
    ("libcap2", "BSD-3-Clause OR GPL-2.0-only"),
    ("libelf1", "GPL-2.0-or-later OR LGPL-3.0-or-later"),
    ("libip4tc2", "GPL-2.0-or-later"),
    ("libip6tc2", "GPL-2.0-or-later"),
    ("libmd0", "BSD-3-Clause"),
    ("libmnl0", "LGPL-2.1-or-later"),
    ("libnftnl11", "GPL-2.0-or-later"),
    ("libxtables12", "GPL-2.0-or-later"),
    ("zlib1g", "Zlib"),
];

/// Where the programs are that others run.
pub(super) const PROGRAMS: &str = "usr/sbin";

/// Adds the files to an image, and says which packages they are of. `folder` is for what is fetched.
pub(super) fn add(contents: &mut Contents, folder: &Path, architecture: Architecture) -> Result<Vec<Package>> {
    let archives = fetch(folder, architecture)?;
    let mut packages = Vec::new();
    for (name, license) in PACKAGES {
        let archive = archive_of(name, &archives)?;
        let field = |field: &str| {
            let mut command = Command::new("dpkg-deb");
            Ok::<_, anyhow::Error>(ask(command.arg("--field").arg(archive).arg(field))?.trim().to_owned())
        };
        let (version, architecture) = (field("Version")?, field("Architecture")?);
        let files = ask_bytes(Command::new("dpkg-deb").arg("--fsys-tarfile").arg(archive))?;
        let copyright = take(contents, name, &files).with_context(|| format!("cannot read {}", archive.display()))?;
        let texts = folder.join(format!("{name}.copyright"));
        fs::write(&texts, copyright).with_context(|| format!("cannot write {}", texts.display()))?;
        packages.push(Package {
            name: name.to_owned(),
            version,
            license: license.to_owned(),
            origin: Origin::Debian { architecture },
            texts,
        });
    }
    Ok(packages)
}

fn fetch(folder: &Path, architecture: Architecture) -> Result<Vec<PathBuf>> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let fetched = Apt::of(architecture, folder).and_then(|apt| apt.download(&PACKAGES.map(|(name, _license)| name)));
    fetched.context("cannot fetch iptables; --with-iptables needs Debian, and what `apt-get update` fetches")
}

fn archive_of<'a>(package: &str, archives: &'a [PathBuf]) -> Result<&'a PathBuf> {
    let of = |archive: &&PathBuf| {
        let name = archive.file_name().unwrap_or_default().to_string_lossy();
        name.split('_').next() == Some(package)
    };
    archives
        .iter()
        .find(of)
        .with_context(|| format!("apt-get has fetched no archive of {package}"))
}

/// What is wanted of a package's files; the text of its license.
fn take(contents: &mut Contents, package: &str, files: &[u8]) -> Result<String> {
    let mut copyright = String::new();
    let mut taken = 0;
    for entry in Archive::new(files).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.display().to_string();
        let path = path.trim_start_matches("./");
        if path == format!("usr/share/doc/{package}/copyright") {
            entry.read_to_string(&mut copyright)?;
        }
        let Some(path) = place(package, path) else {
            continue;
        };
        match entry.header().entry_type() {
            EntryType::Regular => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                contents.bytes(&path, entry.header().mode()? & 0o755, bytes);
                taken += 1;
            }
            EntryType::Symlink => {
                let target = entry.link_name()?.context("a link without a target")?;
                contents.link(&path, &target.display().to_string());
            }
            _ => {}
        }
    }
    ensure!(
        taken > 0 && !copyright.is_empty(),
        "the package {package} has other files than Debian 12's"
    );
    Ok(copyright)
}

/// Where a file of a package goes, if it is wanted: programs that write rules, their matches and targets, `ip`, and
/// libraries. Of the C library, what programs start with.
fn place(package: &str, path: &str) -> Option<String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_library = || match package {
        "libc6" => name == "libc.so.6" || name.starts_with("ld-linux-"),
        "libcap2" => name.starts_with("libcap.so."),
        // A link names the library as programs do; the library's own name has its version before the ending.
        "libelf1" => name.starts_with("libelf"),
        _ => name.contains(".so."),
    };
    let is_wanted = match (package, folder) {
        // Debian has moved it more than once.
        ("iproute2", "bin" | "usr/bin") if name == "ip" => return Some(format!("{PROGRAMS}/ip")),
        ("iproute2", _) => false,
        ("iptables", PROGRAMS) => {
            let is_tool = |prefix: &str| {
                name.strip_prefix(prefix)
                    .is_some_and(|rest| matches!(rest, "" | "-save" | "-restore"))
            };
            ["iptables-legacy", "iptables-nft", "ip6tables-legacy", "ip6tables-nft"]
                .into_iter()
                .any(is_tool)
                || matches!(name, "xtables-legacy-multi" | "xtables-nft-multi")
        }
        // This one is linked with a library that nothing else needs.
        ("iptables", _) if folder.ends_with("/xtables") => {
            name != "libxt_connlabel.so"
                && ["libxt_", "libipt_", "libip6t_"].iter().any(|prefix| name.starts_with(prefix))
        }
        _ => ["lib", "usr/lib"].into_iter().any(|lib| is_below(folder, lib)) && is_library(),
    };
    is_wanted.then(|| path.to_owned())
}

/// `lib/x86_64-linux-gnu` and `lib64` are, and `lib/x86_64-linux-gnu/security` is not.
fn is_below(folder: &str, libraries: &str) -> bool {
    folder
        .strip_prefix(libraries)
        .is_some_and(|rest| rest.matches('/').count() <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_package_only_what_writes_rules_and_lays_networks_is_taken() {
        let wanted = [
            ("iptables", "usr/sbin/iptables-nft-restore"),
            ("iptables", "usr/sbin/ip6tables-legacy-save"),
            ("iptables", "usr/sbin/xtables-nft-multi"),
            ("iptables", "usr/lib/x86_64-linux-gnu/xtables/libxt_owner.so"),
            ("libxtables12", "usr/lib/x86_64-linux-gnu/libxtables.so.12"),
            ("libc6", "lib/x86_64-linux-gnu/libc.so.6"),
            ("libc6", "lib64/ld-linux-x86-64.so.2"),
            ("libc6", "lib/ld-linux-aarch64.so.1"),
            ("libcap2", "lib/x86_64-linux-gnu/libcap.so.2.66"),
            ("libelf1", "usr/lib/x86_64-linux-gnu/libelf-0.188.so"),
            ("libelf1", "usr/lib/x86_64-linux-gnu/libelf.so.1"),
            ("zlib1g", "lib/x86_64-linux-gnu/libz.so.1"),
        ];
        let others = [
            ("iproute2", "bin/ss"),
            ("iproute2", "sbin/ip"),
            ("iproute2", "usr/lib/tc/normal.dist"),
            ("iptables", "usr/sbin/iptables-apply"),
            ("iptables", "usr/sbin/arptables-nft"),
            ("iptables", "usr/lib/x86_64-linux-gnu/xtables/libebt_mark.so"),
            ("iptables", "usr/lib/x86_64-linux-gnu/xtables/libxt_connlabel.so"),
            ("libc6", "lib/x86_64-linux-gnu/libm.so.6"),
            ("libcap2", "lib/x86_64-linux-gnu/libpsx.so.2"),
            ("libxtables12", "usr/share/doc/libxtables12/copyright"),
        ];
        for (package, path) in wanted {
            assert_eq!(place(package, path).as_deref(), Some(path));
        }
        for (package, path) in others {
            assert_eq!(place(package, path), None, "{path}");
        }
        assert_eq!(place("iproute2", "bin/ip").as_deref(), Some("usr/sbin/ip"));
    }
}
