// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kinds of machines that images are made for. On amd64, programs for arm64 are cross-compiled.

use std::fmt;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

/// As OCI, Go and Debian call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Architecture {
    #[value(alias = "x86_64")]
    Amd64,
    #[value(alias = "aarch64")]
    Arm64,
}

impl Architecture {
    /// That of this machine.
    pub(crate) fn here() -> Result<Self> {
        let name = std::env::consts::ARCH;
        Self::from_str(name, false)
            .ok()
            .with_context(|| format!("images are made on machines of amd64 and arm64, and this one is of {name}"))
    }

    /// Whether it is another one than this machine's. An error where there is no compiler for it.
    pub(crate) fn is_foreign(self) -> Result<bool> {
        match (Self::here()?, self) {
            (here, wanted) if here == wanted => Ok(false),
            (Self::Amd64, Self::Arm64) => Ok(true),
            (here, wanted) => bail!("programs for {wanted} are made on machines of amd64, and this one is of {here}"),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// As `uname -m` and qemu call it.
    pub(crate) fn machine(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "aarch64",
        }
    }

    /// The target of Rust.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// A program of the compilers that Debian has for it on other machines, such as `gcc`.
    pub(crate) fn tool(self, name: &str) -> String {
        format!("{}-linux-gnu-{name}", self.machine())
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_two_names_and_a_compiler() {
        for architecture in Architecture::value_variants() {
            for name in [architecture.name(), architecture.machine()] {
                assert_eq!(Architecture::from_str(name, false), Ok(*architecture));
            }
            assert!(architecture.target().starts_with(architecture.machine()));
        }
        assert_eq!(Architecture::Arm64.tool("gcc"), "aarch64-linux-gnu-gcc");
        let here = Architecture::here().unwrap();
        assert_eq!(here.machine(), std::env::consts::ARCH);
        assert!(!here.is_foreign().unwrap());
    }
}
