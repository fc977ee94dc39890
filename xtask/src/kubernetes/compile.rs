// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Calls of Go's compiler.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::place::{PROGRAMS, Place, version};
use crate::run::exec;

/// Compiles the programs into `directory`, all at once, because they share most of their packages.
pub(super) fn programs(place: &Place, directory: &Path) -> Result<()> {
    let mut command = go_build(place);
    // No drivers of clouds and of Docker: a tenth of all packages. What Go keeps serves another directory as well if
    // no paths are in it (-trimpath).
    command.args(["-trimpath", "-tags", "providerless dockerless", "-ldflags", &linker_flags(version())]);
    command.arg("-o").arg(directory);
    command.args(
        PROGRAMS
            .iter()
            .filter(|name| name.starts_with("kube"))
            .map(|name| format!("./cmd/{name}")),
    );
    exec(&mut command)
}

/// `go build` in the source. Two processes at a time: each may take a gigabyte.
pub(super) fn go_build(place: &Place) -> Command {
    let mut command = Command::new("nice");
    command.args(["go", "build", "-p", "2"]).current_dir(place.source());
    command
        .env("GO111MODULE", "off")
        .env("GOPATH", place.gopath())
        .env("GOCACHE", place.gocache())
        .env("CGO_ENABLED", "0")
        .env_remove("GOFLAGS");
    command
}

/// No symbols, and the version in both places where clients see it.
fn linker_flags(version: &str) -> String {
    let mut numbers = version.split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let stamps = [
        format!("gitVersion=v{version}"),
        format!("gitMajor={major}"),
        format!("gitMinor={minor}"),
        "gitTreeState=clean".to_owned(),
    ];
    let packages = ["component-base/version", "client-go/pkg/version"];
    let flags = packages.iter().flat_map(|package| {
        stamps
            .iter()
            .map(move |stamp| format!("-X k8s.io/kubernetes/vendor/k8s.io/{package}.{stamp}"))
    });
    ["-s", "-w"]
        .into_iter()
        .map(str::to_owned)
        .chain(flags)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_stamped_into_servers_and_clients() {
        let flags = linker_flags("1.20.2");
        for package in ["component-base/version", "client-go/pkg/version"] {
            assert!(
                flags.contains(&format!("-X k8s.io/kubernetes/vendor/k8s.io/{package}.gitVersion=v1.20.2 ")),
                "{flags}"
            );
        }
        assert!(flags.starts_with("-s -w -X ") && flags.contains("gitMinor=20"), "{flags}");
    }
}
