// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What became of a pod.

use interceptor_inject::Reason;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// `done` says what was done. The warnings say what may go wrong with the pod.
    Changed { done: &'static str, warnings: Vec<String> },
    /// There is nothing to change.
    Unchanged,
    /// The pod stays as it is.
    LeftAlone(Reason),
    /// The pod could not be read, or is none. It stays as it is.
    Failed(String),
    /// The pod may not start. `code` is a status of HTTP.
    Denied { why: String, code: u16 },
}

impl Decision {
    /// What whoever makes the pod is to be told.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let all = match self {
            Self::Changed { done, warnings } => {
                warnings.iter().map(|warning| format!("{done}, but {warning}")).collect()
            }
            Self::LeftAlone(reason) if reason.is_surprising() => vec![format!("left alone, because {reason}")],
            Self::Unchanged | Self::LeftAlone(_) | Self::Denied { .. } => vec![],
            Self::Failed(why) => vec![format!("left alone, because {why}")],
        };
        all.iter().map(|text| said(text)).collect()
    }

    /// Why the pod may not start, and the code, if it may not.
    pub(crate) fn denial(&self) -> Option<(String, u16)> {
        match self {
            Self::Denied { why, code } => Some((said(why), *code)),
            _ => None,
        }
    }
}

fn said(text: &str) -> String {
    format!("interceptor: {}", printable(text))
}

/// Warnings are header lines on their way to the client.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
