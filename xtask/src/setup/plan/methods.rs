// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How to install an item on this machine. Says it, and never does it.

use super::linker::{cargo_install, linker_methods};
use super::packages::packages;
use crate::architecture::Architecture;
use crate::setup::facts::Facts;
use crate::setup::kubernetes::CNI_FOLDERS;
use crate::setup::linker::BPF_LINKER_LLVMS;
use crate::setup::method::InstallMethod;
use crate::setup::needed::{Item, Need};

impl Item {
    /// The ways to install it on this machine, the preferred one first.
    pub(crate) fn methods(&self, facts: &Facts) -> Vec<InstallMethod> {
        match self.need {
            Need::CoreSource => rustup("component", "rust-src", facts)
                .into_iter()
                .chain(packages(self, facts))
                .collect(),
            Need::Lints => rustup("component", "rustfmt clippy", facts)
                .into_iter()
                .chain(packages(self, facts))
                .collect(),
            Need::Arm64Target => rustup("target", Architecture::Arm64.target(), facts).into_iter().collect(),
            Need::Linker => linker_methods(self, facts),
            Need::Programs(_) | Need::SystemPrograms(_) | Need::CniPlugins => {
                packages(self, facts).into_iter().collect()
            }
            Need::Envoy => facts.envoy.methods(),
            Need::Helm => facts.helm.methods(),
            Need::Promtool => facts.promtool.methods(facts.system, facts.root),
            Need::Kubernetes => facts.kubernetes.methods(facts.system),
        }
    }

    /// What to do when there is no method: this program does not know the system's package manager, or no version of
    /// LLVM fits.
    pub(crate) fn advice(&self) -> String {
        match self.need {
            Need::CoreSource => "install rustup (https://rustup.rs), then: rustup component add rust-src".into(),
            Need::Arm64Target => format!(
                "install rustup (https://rustup.rs), then: rustup target add {}",
                Architecture::Arm64.target()
            ),
            Need::Lints => "install rustfmt and clippy for the compiler in use".into(),
            Need::Linker => format!(
                "install LLVM {BPF_LINKER_LLVMS:?}, at least as new as the LLVM of `rustc -vV`, with its headers; with \
                 its prefix and version: {}",
                cargo_install("<prefix>", "<version>")
            ),
            Need::Programs(programs) | Need::SystemPrograms(programs) => {
                format!(
                    "install the programs {} with the package manager of this system",
                    programs.join(", ")
                )
            }
            Need::CniPlugins => format!("put the CNI plugins into {}", CNI_FOLDERS[0]),
            Need::Kubernetes => {
                "Kubernetes is built with packages of Debian 12 and its tools; build it there, and copy the \
                                 directory into the cache of this machine"
                    .into()
            }
            Need::Promtool => "put the program promtool of Prometheus there".into(),
            Need::Helm => "unpack the Python package helm-python-sdk there".into(),
            Need::Envoy => "let INTERCEPTOR_ENVOY name an Envoy that runs here, or unset it".into(),
        }
    }
}

/// `kind` is `component` or `target`.
fn rustup(kind: &str, names: &str, facts: &Facts) -> Option<InstallMethod> {
    let commands = vec![format!("rustup {kind} add {names}")];
    facts.rustup.then(|| InstallMethod {
        name: "with rustup, for the compiler in use".into(),
        commands,
        automatic: true,
    })
}
