// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether this machine has an item, and what of it is missing. Only compares: `facts` has looked.

use crate::architecture::Architecture;
use crate::setup::facts::Facts;
use crate::setup::kubernetes::{CNI_FOLDERS, CNI_PLUGIN};
use crate::setup::linker::Linker;
use crate::setup::needed::{Item, Need};

impl Item {
    /// What satisfies this item, or `None`.
    pub(crate) fn found(&self, facts: &Facts) -> Option<String> {
        match self.need {
            Need::CoreSource => {
                let compiler = facts.kernel.as_ref()?;
                let source = compiler.core_source();
                Some(if *compiler == facts.in_use {
                    format!("rustc {}, {}", compiler.release, source.display())
                } else {
                    let (rustc, other) = (compiler.rustc.display(), &facts.in_use.release);
                    format!(
                        "{rustc} {}; builds use it for the kernel object only, because rustc {other} has no source",
                        compiler.release
                    )
                })
            }
            Need::Lints => facts
                .missing_lints
                .is_empty()
                .then(|| format!("of rustc {}", facts.in_use.release)),
            Need::Linker => match &facts.linker {
                Linker::Usable { path, version } => {
                    Some(format!("{} {version}, links what the compiler writes", path.display()))
                }
                Linker::Missing | Linker::Unusable { .. } => None,
            },
            Need::Arm64Target => facts.arm64_target.then(|| Architecture::Arm64.target().to_owned()),
            Need::Programs(programs) | Need::SystemPrograms(programs) => {
                self.missing_programs(facts).is_empty().then(|| programs.join(", "))
            }
            Need::Envoy => facts.envoy.found(),
            Need::Helm => facts.helm.found(),
            Need::Promtool => facts.promtool.found(),
            Need::CniPlugins => facts.cni_plugins.map(|folder| folder.display().to_string()),
            Need::Kubernetes => facts.kubernetes.found(),
        }
    }

    /// What exactly is missing.
    pub(crate) fn lack(&self, facts: &Facts) -> String {
        match self.need {
            Need::CoreSource => {
                format!("rustc {} has no {}", facts.in_use.release, facts.in_use.core_source().display())
            }
            Need::Lints => facts.missing_lints.join(", "),
            Need::Linker => match &facts.linker {
                Linker::Unusable { path, reason } => format!("{} is unusable: {reason}", path.display()),
                Linker::Missing | Linker::Usable { .. } => {
                    "not in PATH, nor where `cargo install` puts programs".into()
                }
            },
            Need::Arm64Target => {
                format!("rustc {} has no {}", facts.in_use.release, Architecture::Arm64.target())
            }
            Need::Programs(_) | Need::SystemPrograms(_) => self.missing_programs(facts).join(", "),
            Need::Envoy => facts.envoy.lack(),
            Need::Helm => facts.helm.lack(),
            Need::Promtool => facts.promtool.lack(),
            Need::CniPlugins => format!("no {} in {}", CNI_PLUGIN, CNI_FOLDERS.join(", ")),
            Need::Kubernetes => facts.kubernetes.lack(),
        }
    }

    fn missing_programs(&self, facts: &Facts) -> Vec<&'static str> {
        let (programs, missing) = match self.need {
            Need::Programs(programs) => (programs, &facts.missing_programs),
            Need::SystemPrograms(programs) => (programs, &facts.missing_system_programs),
            Need::CoreSource
            | Need::Lints
            | Need::Linker
            | Need::Arm64Target
            | Need::Envoy
            | Need::Helm
            | Need::Promtool
            | Need::CniPlugins
            | Need::Kubernetes => {
                return Vec::new();
            }
        };
        programs.iter().copied().filter(|program| missing.contains(program)).collect()
    }
}
