// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is needed, and how to get it: facts in, commands out. Runs nothing.

mod items;

pub(crate) use items::ITEMS;

use super::facts::{Facts, System};
use super::linker::Linker;
use crate::suite::Suite;

/// The version this project is tested with.
pub(crate) const BPF_LINKER: &str = "0.13.0";

/// The LLVM versions that this bpf-linker can be built with.
pub(crate) const BPF_LINKER_LLVMS: [u32; 3] = [21, 22, 23];

/// What an item is needed for. Each purpose includes those before it, but that suites do not include each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    Build,
    Lint,
    Test,
    /// Beside `Test`, for one suite only.
    Suite(Suite),
}

pub(crate) struct Item {
    pub(crate) name: &'static str,
    pub(crate) why: &'static str,
    pub(crate) purpose: Purpose,
    pub(crate) need: Need,
    debian: &'static str,
    fedora: &'static str,
    arch: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) enum Need {
    CoreSource,
    Lints,
    Linker,
    Programs(&'static [&'static str]),
    /// Where every user finds them and may run them: not in somebody's home.
    SystemPrograms(&'static [&'static str]),
    Envoy,
}

/// Commands that install an item, to be run one after the other.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) name: String,
    pub(crate) commands: Vec<String>,
    /// Setup runs it without asking; otherwise it only prints it.
    pub(crate) automatic: bool,
}

impl Item {
    /// What satisfies this item, or nothing.
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
                        "{rustc} {}; builds use it for the kernel object only, since rustc {other} has none",
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
            Need::Programs(programs) | Need::SystemPrograms(programs) => {
                self.missing_programs(facts).is_empty().then(|| programs.join(", "))
            }
            Need::Envoy => facts.envoy.found(),
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
            Need::Programs(_) | Need::SystemPrograms(_) => self.missing_programs(facts).join(", "),
            Need::Envoy => facts.envoy.lack(),
        }
    }

    /// The ways to install it on this machine, the preferred one first.
    pub(crate) fn ways(&self, facts: &Facts) -> Vec<Way> {
        match self.need {
            Need::CoreSource => rustup("rust-src", facts).into_iter().chain(self.packages(facts)).collect(),
            Need::Lints => rustup("rustfmt clippy", facts)
                .into_iter()
                .chain(self.packages(facts))
                .collect(),
            Need::Linker => self.linker_ways(facts),
            Need::Programs(_) | Need::SystemPrograms(_) => self.packages(facts).into_iter().collect(),
            Need::Envoy => facts.envoy.ways(),
        }
    }

    /// What to do on a system whose package manager this program does not know, or when no version fits.
    pub(crate) fn advice(&self) -> String {
        match self.need {
            Need::CoreSource => "install rustup (https://rustup.rs), then: rustup component add rust-src".into(),
            Need::Lints => "install rustfmt and clippy for the compiler in use".into(),
            Need::Linker => format!(
                "install LLVM {BPF_LINKER_LLVMS:?}, at least as new as the LLVM of `rustc -vV`, with its headers; with its prefix and \
                 version: {}",
                cargo_install("<prefix>", "<version>")
            ),
            Need::Programs(programs) | Need::SystemPrograms(programs) => {
                format!(
                    "install the programs {} with the package manager of this system",
                    programs.join(", ")
                )
            }
            Need::Envoy => "let INTERCEPTOR_ENVOY name an Envoy that runs here, or unset it".into(),
        }
    }

    /// The suite that cannot run without it, if the others can.
    pub(crate) fn suite(&self) -> Option<Suite> {
        if let Purpose::Suite(suite) = self.purpose { Some(suite) } else { None }
    }

    fn missing_programs(&self, facts: &Facts) -> Vec<&'static str> {
        let (programs, missing) = match self.need {
            Need::Programs(programs) => (programs, &facts.missing_programs),
            Need::SystemPrograms(programs) => (programs, &facts.missing_system_programs),
            Need::CoreSource | Need::Lints | Need::Linker | Need::Envoy => return Vec::new(),
        };
        programs.iter().copied().filter(|program| missing.contains(program)).collect()
    }

    fn packages(&self, facts: &Facts) -> Option<Way> {
        let packages = match facts.system {
            System::Debian => self.debian,
            System::Fedora => self.fedora,
            System::Arch => self.arch,
            System::Other => return None,
        };
        package_way(packages, facts)
    }

    /// LLVM reads the bitcode of its own and of earlier versions: the compiler's version first, then newer ones.
    fn linker_ways(&self, facts: &Facts) -> Vec<Way> {
        let compiler = facts.kernel.as_ref().unwrap_or(&facts.in_use);
        let mut llvms: Vec<u32> = BPF_LINKER_LLVMS.into_iter().filter(|llvm| *llvm >= compiler.llvm).collect();
        llvms.sort_by_key(|llvm| !facts.llvms.contains(llvm));
        if facts.system != System::Debian {
            llvms.truncate(1);
        }
        llvms.into_iter().filter_map(|llvm| self.linker_way(llvm, facts)).collect()
    }

    fn linker_way(&self, llvm: u32, facts: &Facts) -> Option<Way> {
        let debian_prefix = format!("/usr/lib/llvm-{llvm}");
        let installed = facts.llvms.contains(&llvm);
        let way = match facts.system {
            _ if installed => None,
            System::Debian => Some(package_way(&format!("llvm-{llvm}-dev"), facts)?),
            _ => Some(self.packages(facts)?),
        };
        let prefix = if installed || facts.system == System::Debian {
            debian_prefix.as_str()
        } else {
            "/usr"
        };
        let automatic = way.as_ref().is_none_or(|way| way.automatic);
        let mut commands = way.map(|way| way.commands).unwrap_or_default();
        commands.push(cargo_install(prefix, &llvm.to_string()));
        Some(Way { name: format!("from source, with LLVM {llvm}"), commands, automatic })
    }
}

/// `LLVM_PREFIX` is what bpf-linker's build asks; without it, it takes the first llvm-config of the search path, of any
/// version.
fn cargo_install(prefix: &str, llvm: &str) -> String {
    format!(
        "LLVM_PREFIX={prefix} cargo install bpf-linker --version {BPF_LINKER} --locked --force --no-default-features --features llvm-{llvm}"
    )
}

fn rustup(components: &str, facts: &Facts) -> Option<Way> {
    let commands = vec![format!("rustup component add {components}")];
    facts
        .rustup
        .then(|| Way { name: "with rustup, for the compiler in use".into(), commands, automatic: true })
}

/// Only Debian's packages are installed without asking: only those are tested.
fn package_way(packages: &str, facts: &Facts) -> Option<Way> {
    let sudo = if facts.root { "" } else { "sudo " };
    let (name, commands) = match facts.system {
        System::Debian => (
            "with packages of Debian or Ubuntu",
            vec![
                format!("{sudo}{UPDATE}"),
                format!("{sudo}DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {packages}"),
            ],
        ),
        System::Fedora => ("with packages of Fedora", vec![format!("{sudo}dnf install -y {packages}")]),
        System::Arch => (
            "with packages of Arch Linux",
            vec![format!("{sudo}pacman -S --needed {packages}")],
        ),
        System::Other => return None,
    };
    Some(Way {
        name: name.into(),
        commands,
        automatic: facts.root && facts.system == System::Debian,
    })
}

const UPDATE: &str = "apt-get update";

/// Commands that need to succeed only once.
pub(crate) fn is_preparation(line: &str) -> bool {
    line.ends_with(UPDATE)
}

#[cfg(test)]
mod tests;
