// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which addresses a pod has.

use std::{fmt, str::FromStr};

use anyhow::Context as _;
use serde::Serialize;

/// Which addresses a pod has, and with them, for which families Istio writes rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stack {
    V4,
    V6,
    /// Both, with `--dual-stack`.
    Dual,
}

impl Stack {
    pub fn has_v4(self) -> bool {
        self != Self::V6
    }

    pub fn has_v6(self) -> bool {
        self != Self::V4
    }

    /// Flags with which to enroll such a pod.
    pub fn enroll_flags(self) -> &'static [&'static str] {
        if self == Self::Dual { &["--dual-stack"] } else { &[] }
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::V4 => "v4",
            Self::V6 => "v6",
            Self::Dual => "dual",
        })
    }
}

impl FromStr for Stack {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let all = [Self::V4, Self::V6, Self::Dual];
        all.into_iter()
            .find(|stack| stack.to_string() == text)
            .with_context(|| format!("no choice of addresses: {text:?}; write v4, v6 or dual"))
    }
}
