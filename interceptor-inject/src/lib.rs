// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rewrites Kubernetes manifests: what Istio's init container `istio-init` does becomes the work of Interceptor.
//!
//! ```text
//! manifest ──rewrite──▶ Outcome { the manifest, and for each workload: rewritten, or left alone and why }
//! manifest ──undo─────▶ Outcome { … }
//! ```
//!
//! Both are pure functions of the manifest and the options. They read no file, no environment and no cluster. A pod
//! that is left alone stays the pod that Istio made, which iptables intercepts.

#[cfg(feature = "cli")]
pub mod cli;
mod containers;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod kinds;
mod malformed;
mod ours;
mod outcome;
mod record;
mod rewrite;
#[cfg(test)]
mod tests;
mod undo;
mod walk;
#[cfg(feature = "cli")]
mod yaml;

pub use kinds::{Kind, KindError};
pub use malformed::Malformed;
pub use outcome::{Outcome, Reason, Verdict, Workload};
pub use rewrite::{DEFAULT_IMAGE, DataPath, Rewrite};
pub use undo::Undo;
