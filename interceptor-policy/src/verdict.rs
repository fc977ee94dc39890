// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The outcome of [`decide`](crate::decide). Only a [`Decision`] makes one: a failure or an event of acceleration never
//! does.

use crate::{
    action::Action,
    reason::{Decision, Reason},
};

/// What happens to a connection, and the rule that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a verdict that nobody carries out lets traffic pass"]
#[non_exhaustive]
pub struct Verdict {
    pub action: Action,
    pub reason: Reason,
}

impl From<Decision> for Verdict {
    #[inline(always)]
    fn from(decision: Decision) -> Self {
        Self { action: decision.action(), reason: decision.into() }
    }
}
