// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the features of a machine mean for pods. Nothing here tests or prints anything.

use crate::features::{Answer, Feature, Kind};

/// Whether pods can be enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Usable,
    Lacks,
    Unknown,
}

impl Outcome {
    pub(super) fn of(features: &[Feature]) -> Self {
        let needed = || features.iter().filter(|feature| !feature.kind.is_optional());
        if needed().any(|feature| matches!(feature.answer, Answer::No(_))) {
            Self::Lacks
        } else if needed().all(|feature| feature.answer == Answer::Yes) {
            Self::Usable
        } else {
            Self::Unknown
        }
    }
}

/// What happens without a feature.
pub(super) const fn consequence(kind: Kind) -> &'static str {
    match kind {
        Kind::Bpffs | Kind::Cgroup2 | Kind::NetnsCookie | Kind::Program => "pods cannot be enrolled",
        Kind::GracePeriod => "pods cannot be switched or unenrolled",
        Kind::EndToEnd => "connections are not redirected",
        Kind::Guard => "what leaves a pod past the redirection is not dropped; --guard=on is refused",
        Kind::UrgentProgram => "MSG_OOB on accelerated connections is ordinary data",
        Kind::AccelerationProgram | Kind::KnownBugs | Kind::Acceleration => "--accelerate is refused",
    }
}
