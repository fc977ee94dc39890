// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What comes out of Debian's archive. The configuration of apt stays as it is: sources are asked for with lists of
//! our own.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::place::{Place, version};
use crate::run::exec;

/// Unpacks the source package, with Debian's patches, to where it is compiled.
pub(super) fn source(place: &Place) -> Result<()> {
    let packages = place.packages();
    let apt = source_lists(&packages)?;
    exec(apt_get(&packages).args(&apt).args(["-q", "update"]))?;
    exec(apt_get(&packages).args(&apt).args(["-q", "source", "kubernetes"]))
        .context("the source comes from the package archive of Debian 12, package kubernetes")?;
    let unpacked = only(&packages, |name| name.starts_with("kubernetes-") && !name.contains(".orig"))?;
    ensure!(
        unpacked
            .file_name()
            .is_some_and(|name| name.to_string_lossy().ends_with(version())),
        "{} is not Kubernetes {}, for which the tests are written: Debian 12 has it, other releases may not",
        unpacked.display(),
        version()
    );
    let source = place.source();
    fs::remove_dir(&source).with_context(|| format!("cannot remove {}", source.display()))?;
    fs::rename(&unpacked, &source).with_context(|| format!("cannot rename {}", unpacked.display()))
}

/// The copy in the source is version 1.0.1, which reads the map iterator of Go before 1.18. With a later Go, every
/// component crashes after some minutes
/// ([modern-go/reflect2](https://github.com/modern-go/reflect2/releases/tag/v1.0.2)).
pub(super) fn replace_reflect2(place: &Place) -> Result<()> {
    const INSIDE: &str = "usr/share/gocode/src/github.com/modern-go/reflect2";
    let unpacked = unpack(place, "golang-github-modern-go-reflect2-dev")?.join(INSIDE);
    let vendored = place.source().join("vendor/github.com/modern-go/reflect2");
    fs::remove_dir_all(&vendored).with_context(|| format!("cannot remove {}", vendored.display()))?;
    fs::rename(&unpacked, &vendored).with_context(|| format!("cannot rename {}", unpacked.display()))
}

/// The one without libraries: that of the system may have some, because its two packages replace each other.
pub(super) fn busybox(place: &Place, programs: &Path) -> Result<()> {
    let busybox = unpack(place, "busybox-static")?.join("bin/busybox");
    fs::copy(&busybox, programs.join("busybox")).with_context(|| format!("cannot copy {}", busybox.display()))?;
    Ok(())
}

/// Fetches a binary package, and unpacks it into the directory that is returned.
fn unpack(place: &Place, package: &str) -> Result<PathBuf> {
    let packages = place.packages();
    exec(apt_get(&packages).args(["-q", "download", package])).with_context(|| {
        format!("the package lists may be older than the archive; run `apt-get update` ({package})")
    })?;
    let archive = only(&packages, |name| name.starts_with(&format!("{package}_")))?;
    let to = packages.join(package);
    exec(Command::new("dpkg-deb").arg("--extract").arg(archive).arg(&to))?;
    Ok(to)
}

/// Options for the lists of source packages that belong to the system's lists of binary ones.
fn source_lists(packages: &Path) -> Result<Vec<OsString>> {
    const SYSTEM: &str = "/etc/apt/sources.list.d/debian.sources";
    let parts = packages.join("parts");
    let lists = packages.join("lists");
    for directory in [&parts, &lists.join("partial")] {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    let text = match fs::read_to_string(SYSTEM) {
        Ok(text) => deb822_sources(&text),
        Err(_) => String::new(),
    };
    let (file, text) = if text.is_empty() {
        let old = fs::read_to_string("/etc/apt/sources.list").with_context(|| {
            format!("neither {SYSTEM} nor /etc/apt/sources.list names the archive that Kubernetes' source is in")
        })?;
        ("system.list", one_line_sources(&old))
    } else {
        ("system.sources", text)
    };
    fs::write(parts.join(file), text).with_context(|| format!("cannot write {file} in {}", parts.display()))?;
    let option = |name: &str, value: &Path| {
        let mut option = OsString::from(format!("-o{name}="));
        option.push(value);
        option
    };
    Ok(vec![
        option("Dir::Etc::sourcelist", Path::new("/dev/null")),
        option("Dir::Etc::sourceparts", &parts),
        option("Dir::State::Lists", &lists),
    ])
}

/// `Types: deb` → `Types: deb-src`
fn deb822_sources(text: &str) -> String {
    let line = |line: &str| {
        if line.starts_with("Types:") {
            "Types: deb-src".to_owned()
        } else {
            line.to_owned()
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// `deb http://… bookworm main` → `deb-src http://… bookworm main`
fn one_line_sources(text: &str) -> String {
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("deb "));
    lines.fold(String::new(), |text, rest| text + "deb-src " + rest + "\n")
}

/// In a directory of our own, as whoever runs this: root's apt would else become a user who may not write there.
fn apt_get(directory: &Path) -> Command {
    let mut command = Command::new("apt-get");
    command.args(["-o", "APT::Sandbox::User=root"]).current_dir(directory);
    command
}

/// The one entry with such a name.
fn only(directory: &Path, wanted: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let found: Vec<_> = paths
        .filter(|path| path.file_name().is_some_and(|name| wanted(&name.to_string_lossy())))
        .filter(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "deb"))
        .collect();
    match <[PathBuf; 1]>::try_from(found) {
        Ok([only]) => Ok(only),
        Err(found) => bail!("apt-get left {found:?} in {}, where one is expected", directory.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_sources_follow_those_of_the_system() {
        assert_eq!(
            deb822_sources("Types: deb\nURIs: http://a/debian\nSuites: bookworm\n"),
            "Types: deb-src\nURIs: http://a/debian\nSuites: bookworm"
        );
        assert_eq!(
            one_line_sources("# deb http://x\ndeb http://a/debian bookworm main\ndeb-src http://b\n"),
            "deb-src http://a/debian bookworm main\n"
        );
    }
}
