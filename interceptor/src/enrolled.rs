// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is told of an enrollment.

use crate::kernel::enroll::steps::Plan;

/// A pod that was enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// What was done, step by step.
    pub plan: Plan,
    /// Interfaces that the configuration excludes and the pod does not have. Connections through them are intercepted
    /// if the pod gets them later.
    pub unknown_interfaces: Vec<String>,
    /// Why the pod is not guarded, although nobody asked for that: this kernel cannot.
    pub unguarded: Option<String>,
}
