// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two modes, and the names of what belongs to each. Both can be in one cluster, so no name is shared.

use clap::ValueEnum;

/// What is done with pods that are created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Those that Istio injected are rewritten. None is denied
    #[default]
    Rewrite,
    /// Those that ask for it get an Envoy without Istio. One that cannot get it is denied
    Plain,
}

impl Mode {
    /// What the name of the `MutatingWebhookConfiguration` begins with. The API server calls webhooks in the order of
    /// these names, and Istio's comes first.
    pub(crate) const fn configuration(self) -> &'static str {
        match self {
            Self::Rewrite => "zz-interceptor",
            Self::Plain => "zz-interceptor-plain",
        }
    }

    pub(crate) const fn service(self) -> &'static str {
        match self {
            Self::Rewrite => "interceptor-webhook",
            Self::Plain => "interceptor-plain",
        }
    }

    pub(crate) const fn secret(self) -> &'static str {
        match self {
            Self::Rewrite => "interceptor-webhook-tls",
            Self::Plain => "interceptor-plain-tls",
        }
    }

    /// Where reviews are posted to. A configuration of one mode does not work with a webhook of the other.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Rewrite => "/inject",
            Self::Plain => "/plain",
        }
    }
}
