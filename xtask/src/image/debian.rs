// SPDX-License-Identifier: Apache-2.0 OR MIT
//! iptables and what it is linked with, out of Debian's packages. apt fetches and verifies them; nothing is installed.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use tar::{Archive, EntryType};

use super::contents::Contents;
use super::packages::{Origin, Package};
use crate::run::{ask, ask_bytes, exec};

/// Names, and licenses of what is taken.
const PACKAGES: [(&str, &str); 7] = [
    ("iptables", "GPL-2.0-or-later"),
    ("libc6", "LGPL-2.1-or-later"),
    ("libip4tc2", "GPL-2.0-or-later"),
    ("libip6tc2", "GPL-2.0-or-later"),
    ("libmnl0", "LGPL-2.1-or-later"),
    ("libnftnl11", "GPL-2.0-or-later"),
    ("libxtables12", "GPL-2.0-or-later"),
];

/// Where a program is that the agent runs.
pub(super) const PROGRAMS: &str = "usr/sbin";

/// Adds the files to an image, and says which packages they are of. `folder` is for what is fetched.
pub(super) fn add(contents: &mut Contents, folder: &Path) -> Result<Vec<Package>> {
    fetch(folder)?;
    let mut packages = Vec::new();
    for (name, license) in PACKAGES {
        let archive = archive_of(folder, name)?;
        let field = |field: &str| {
            let mut command = Command::new("dpkg-deb");
            Ok::<_, anyhow::Error>(ask(command.arg("--field").arg(&archive).arg(field))?.trim().to_owned())
        };
        let (version, architecture) = (field("Version")?, field("Architecture")?);
        let files = ask_bytes(Command::new("dpkg-deb").arg("--fsys-tarfile").arg(&archive))?;
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

fn fetch(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut apt = Command::new("apt-get");
    // Its own user may not write there.
    apt.args(["--quiet", "--option", "APT::Sandbox::User=root", "download"]);
    apt.args(PACKAGES.map(|(name, _license)| name)).current_dir(folder);
    exec(&mut apt).context("cannot fetch iptables; --with-iptables needs Debian, and what `apt-get update` fetches")
}

fn archive_of(folder: &Path, package: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_archive = Path::new(&name).extension().is_some_and(|extension| extension == "deb");
        if is_archive && name.split('_').next() == Some(package) {
            return Ok(entry.path());
        }
    }
    bail!("apt-get has put no archive of {package} into {}", folder.display())
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
        if !is_wanted(package, path) {
            continue;
        }
        match entry.header().entry_type() {
            EntryType::Regular => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                contents.bytes(path, entry.header().mode()? & 0o755, bytes);
                taken += 1;
            }
            EntryType::Symlink => {
                let target = entry.link_name()?.context("a link without a target")?;
                contents.link(path, &target.display().to_string());
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

/// Programs that write rules, their matches and targets, and libraries. Of the C library, what programs start with.
fn is_wanted(package: &str, path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match folder {
        PROGRAMS => {
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
        _ if folder.ends_with("/xtables") => {
            name != "libxt_connlabel.so"
                && ["libxt_", "libipt_", "libip6t_"].iter().any(|prefix| name.starts_with(prefix))
        }
        _ if package == "libc6" => name == "libc.so.6" || name.starts_with("ld-linux-"),
        _ => folder.starts_with("usr/lib/") && name.contains(".so."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_package_only_what_writes_rules_is_taken() {
        let wanted = [
            ("iptables", "usr/sbin/iptables-nft-restore"),
            ("iptables", "usr/sbin/ip6tables-legacy-save"),
            ("iptables", "usr/sbin/xtables-nft-multi"),
            ("iptables", "usr/lib/x86_64-linux-gnu/xtables/libxt_owner.so"),
            ("libxtables12", "usr/lib/x86_64-linux-gnu/libxtables.so.12"),
            ("libc6", "lib/x86_64-linux-gnu/libc.so.6"),
            ("libc6", "lib64/ld-linux-x86-64.so.2"),
        ];
        let others = [
            ("iptables", "usr/sbin/iptables-apply"),
            ("iptables", "usr/sbin/arptables-nft"),
            ("iptables", "usr/lib/x86_64-linux-gnu/xtables/libebt_mark.so"),
            ("iptables", "usr/lib/x86_64-linux-gnu/xtables/libxt_connlabel.so"),
            ("libc6", "lib/x86_64-linux-gnu/libm.so.6"),
            ("libxtables12", "usr/share/doc/libxtables12/copyright"),
        ];
        for (package, path) in wanted {
            assert!(is_wanted(package, path), "{path}");
        }
        for (package, path) in others {
            assert!(!is_wanted(package, path), "{path}");
        }
    }
}
