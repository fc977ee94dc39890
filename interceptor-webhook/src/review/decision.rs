// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What became of a pod.

use interceptor_inject::Reason;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The warnings say what may go wrong with the pod.
    Rewritten { warnings: Vec<String> },
    /// There is nothing to change.
    Unchanged,
    /// The pod stays as it is.
    LeftAlone(Reason),
    /// The pod could not be read, or is none. It stays as it is.
    Failed(String),
}

impl Decision {
    /// What whoever makes the pod is to be told.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let all = match self {
            Self::Rewritten { warnings } => {
                warnings.iter().map(|warning| format!("rewritten, but {warning}")).collect()
            }
            Self::LeftAlone(reason) if reason.is_surprising() => vec![format!("left alone, because {reason}")],
            Self::Unchanged | Self::LeftAlone(_) => vec![],
            Self::Failed(why) => vec![format!("left alone, because {why}")],
        };
        all.iter().map(|text| format!("interceptor: {}", printable(text))).collect()
    }
}

/// Warnings are header lines on their way to the client.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
