// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The suites that need programs of others, beside those that every test needs. Each can be left out by name, and only so.

/// Each is a test target of `interceptor-tests`, by the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Suite {
    /// Real Envoys
    Envoy,
    /// Ordinary clients in several languages
    Clients,
}

impl Suite {
    pub(crate) const ALL: [Self; 2] = [Self::Envoy, Self::Clients];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Envoy => "envoy",
            Self::Clients => "clients",
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
    use crate::workspace::Workspace;

    #[test]
    fn each_is_a_test_target() {
        let workspace = Workspace::load().unwrap();
        let tests = &workspace.member("interceptor-tests").unwrap().tests;
        for suite in Suite::ALL {
            assert!(tests.iter().any(|test| test == suite.name()), "{} is not one of {tests:?}", suite.name());
        }
    }
}
