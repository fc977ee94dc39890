// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The suites that need more programs than every test needs. Each can be left out, but only by name.

use anyhow::Result;

use crate::workspace::Workspace;

/// The package whose test targets are the suites.
pub(crate) const PACKAGE: &str = "interceptor-tests";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Suite {
    /// Real Envoys
    Envoy,
    /// Ordinary clients in several languages
    Clients,
    /// DNS resolvers, and a DNS server
    Resolvers,
    /// The Helm chart, rendered
    Chart,
    /// A Kubernetes node
    Cluster,
    /// Other kernels, in virtual machines
    Kernels,
}

/// The names of all suites: the test targets of [`PACKAGE`].
pub(crate) fn targets() -> Result<Vec<String>> {
    Ok(Workspace::load()?.member(PACKAGE)?.tests.clone())
}

impl Suite {
    pub(crate) const ALL: [Self; 6] =
        [Self::Envoy, Self::Clients, Self::Resolvers, Self::Chart, Self::Cluster, Self::Kernels];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Envoy => "envoy",
            Self::Clients => "clients",
            Self::Resolvers => "resolvers",
            Self::Chart => "chart",
            Self::Cluster => "cluster",
            Self::Kernels => "kernels",
        }
    }

    /// The test target of [`PACKAGE`] that is this suite.
    pub(crate) fn target(self) -> Option<&'static str> {
        match self {
            Self::Envoy | Self::Clients | Self::Resolvers | Self::Chart | Self::Cluster => Some(self.name()),
            Self::Kernels => None, // the other targets again
        }
    }

    /// All but `without`.
    pub(crate) fn all_but(without: &[Self]) -> Vec<Self> {
        Self::ALL.into_iter().filter(|suite| !without.contains(suite)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_there() {
        let tests = targets().unwrap();
        for target in Suite::ALL.into_iter().filter_map(Suite::target) {
            assert!(tests.iter().any(|test| test == target), "{target} is not one of {tests:?}");
        }
    }
}
