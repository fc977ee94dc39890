// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Plans for machines of several kinds. Looks at no real machine.

use std::path::Path;

use toolchain::Compiler;

use super::is_preparation;
use crate::setup::envoy::Envoy;
use crate::setup::facts::Facts;
use crate::setup::helm::Helm;
use crate::setup::kubernetes::Kubernetes;
use crate::setup::linker::Linker;
use crate::setup::needed::{ITEMS, Item, Purpose};
use crate::setup::promtool::Promtool;
use crate::setup::system::System;
use crate::suite::Suite;

fn compiler(llvm: u32) -> Compiler {
    Compiler {
        rustc: "rustc".into(),
        release: "1.95.0".into(),
        llvm,
        sysroot: "/toolchain".into(),
    }
}

/// A fresh Debian with rustup, used by root: nothing of the table is there.
fn fresh() -> Facts {
    Facts {
        system: System::Debian,
        root: true,
        rustup: true,
        in_use: compiler(22),
        kernel: None,
        missing_lints: vec!["rustfmt of rustc 1.95.0".into()],
        linker: Linker::Missing,
        arm64_target: false,
        llvms: Vec::new(),
        missing_programs: vec!["iptables-nft", "curl"],
        missing_system_programs: vec!["ncat", "dig"],
        envoy: Envoy::Own { directory: "/target/envoy".into(), missing: vec!["1.40.0"] },
        helm: Helm { directory: "/target/helm".into(), is_there: false },
        promtool: Promtool { directory: "/target/promtool".into(), is_there: false },
        kubernetes: Kubernetes { directory: "/cache/kubernetes".into(), missing: vec!["kubelet"] },
        cni_plugins: None,
    }
}

fn item(name: &str) -> &'static Item {
    ITEMS.iter().find(|item| item.name == name).unwrap()
}

fn commands(name: &str, facts: &Facts) -> Vec<Vec<String>> {
    item(name).methods(facts).into_iter().map(|method| method.commands).collect()
}

fn automatic(name: &str, facts: &Facts) -> Vec<bool> {
    item(name).methods(facts).into_iter().map(|method| method.automatic).collect()
}

#[test]
fn a_complete_machine_lacks_nothing() {
    let linker = Linker::Usable { path: "/bin/bpf-linker".into(), version: "0.13.0".into() };
    let envoy = Envoy::Given("/bin/envoy".into());
    let facts = Facts {
        kernel: Some(compiler(22)),
        missing_lints: vec![],
        linker,
        arm64_target: true,
        missing_programs: vec![],
        missing_system_programs: vec![],
        envoy,
        helm: Helm { directory: "/target/helm".into(), is_there: true },
        promtool: Promtool { directory: "/target/promtool".into(), is_there: true },
        kubernetes: Kubernetes { directory: "/cache/kubernetes".into(), missing: vec![] },
        cni_plugins: Some(Path::new("/usr/lib/cni")),
        ..fresh()
    };
    assert!(ITEMS.iter().all(|item| item.found(&facts).is_some()));
}

#[test]
fn a_fresh_machine_lacks_exactly_what_is_missing() {
    let missing: Vec<_> = ITEMS
        .iter()
        .filter(|item| item.found(&fresh()).is_none())
        .map(|item| item.name)
        .collect();
    assert_eq!(
        missing,
        [
            "source of core",
            "bpf-linker",
            "rustfmt, clippy",
            "iptables",
            "curl",
            "Envoy",
            "clients",
            "resolvers",
            "Helm",
            "promtool",
            "CNI plugins",
            "Kubernetes",
            "Rust for arm64"
        ]
    );
    assert_eq!(item("iptables").lack(&fresh()), "iptables-nft");
    assert_eq!(item("clients").lack(&fresh()), "ncat");
    assert_eq!(item("resolvers").lack(&fresh()), "dig");
}

#[test]
fn the_source_comes_from_rustup_first_and_from_packages_second() {
    let methods = commands("source of core", &fresh());
    assert_eq!(methods[0], ["rustup component add rust-src"]);
    assert!(
        methods[1][1].ends_with(" rustc-web rust-web-src rust-web-clippy"),
        "{methods:?}"
    );
    let methods = commands("source of core", &Facts { rustup: false, ..fresh() });
    assert_eq!(methods.len(), 1, "{methods:?}");
    assert_eq!(
        commands("Rust for arm64", &fresh()),
        [["rustup target add aarch64-unknown-linux-gnu"]]
    );
}

#[test]
fn the_linker_is_never_built_with_an_llvm_older_than_the_compilers() {
    let features = |llvm: u32| -> Vec<String> {
        let methods = commands("bpf-linker", &Facts { in_use: compiler(llvm), llvms: vec![21], ..fresh() });
        methods
            .iter()
            .map(|method| method.last().unwrap().rsplit(' ').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(features(21), ["llvm-21", "llvm-22", "llvm-23"]);
    assert_eq!(features(22), ["llvm-22", "llvm-23"]);
    assert_eq!(features(24), [""; 0]);
}

#[test]
fn the_linkers_llvm_follows_the_compiler_of_the_kernel_object() {
    let facts = Facts { in_use: compiler(21), kernel: Some(compiler(23)), ..fresh() };
    assert!(
        commands("bpf-linker", &facts)[0]
            .last()
            .unwrap()
            .ends_with("--features llvm-23")
    );
}

#[test]
fn an_installed_llvm_is_preferred_and_needs_no_root() {
    let facts = Facts { root: false, llvms: vec![23], ..fresh() };
    let methods = commands("bpf-linker", &facts);
    assert_eq!(methods[0].len(), 1);
    assert!(
        methods[0][0].starts_with("LLVM_PREFIX=/usr/lib/llvm-23 cargo install bpf-linker"),
        "{methods:?}"
    );
    assert_eq!(automatic("bpf-linker", &facts), [true, false]);
}

#[test]
fn without_root_packages_are_only_named() {
    let facts = Facts { root: false, ..fresh() };
    assert_eq!(automatic("curl", &facts), [false]);
    let methods = commands("curl", &facts);
    assert_eq!(
        methods[0],
        [
            "sudo apt-get update",
            "sudo DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends curl"
        ]
    );
    assert!(is_preparation(&methods[0][0]) && !is_preparation(&methods[0][1]));
}

#[test]
fn other_systems_get_their_own_commands_and_install_nothing() {
    for (system, expected) in
        [(System::Fedora, "dnf install -y iproute"), (System::Arch, "pacman -S --needed iproute2")]
    {
        let facts = Facts { system, ..fresh() };
        assert_eq!(commands("iproute2", &facts), [[expected]]);
        assert_eq!(automatic("iproute2", &facts), [false]);
        assert!(commands("bpf-linker", &facts)[0][1].starts_with("LLVM_PREFIX=/usr cargo install"));
    }
    let facts = Facts { system: System::Other, ..fresh() };
    assert_eq!(commands("iproute2", &facts), [[""; 0]; 0]);
    assert_eq!(
        item("iproute2").advice(),
        "install the programs ip with the package manager of this system"
    );
}

#[test]
fn an_unusable_linker_is_missing_and_says_why() {
    let linker = Linker::Unusable {
        path: "/bin/bpf-linker".into(),
        reason: "it is version 0.9.0, older than 0.13.0".into(),
    };
    let facts = Facts { linker, ..fresh() };
    assert_eq!(item("bpf-linker").found(&facts), None);
    assert_eq!(
        item("bpf-linker").lack(&facts),
        "/bin/bpf-linker is unusable: it is version 0.9.0, older than 0.13.0"
    );
}

#[test]
fn a_purpose_includes_itself_and_what_it_is_built_on() {
    let suite = Purpose::Suite(Suite::Envoy);
    let all = [Purpose::Build, Purpose::Lint, Purpose::Test, suite, Purpose::Arm64];
    let included = all.map(|purpose| all.map(|other| purpose.includes(other)));
    assert_eq!(
        included,
        [
            [true, false, false, false, false],
            [true, true, false, false, false],
            [true, true, true, false, false],
            [true, true, true, true, false],
            [true, false, false, false, true],
        ]
    );
    assert!(!suite.includes(Purpose::Suite(Suite::Clients)));
    assert!(ITEMS.is_sorted_by_key(|item| item.purpose));
}
