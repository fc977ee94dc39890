// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rewrites Kubernetes manifests: what Istio's init container `istio-init` does becomes the work of Interceptor.
//!
//! ```text
//! manifest ──Rewrite──▶ Outcome { the manifest, and for each workload: rewritten, or left alone and why }
//! manifest ──Istio────▶ Outcome { … }   Istio's template is rendered, and then rewritten
//! manifest ──Plain────▶ Outcome { … }   an Envoy without Istio
//! manifest ──Undo─────▶ Outcome { … }
//! ```
//!
//! All are pure functions of the manifest and the options. They read no file, no environment and no cluster; where an
//! injector of a cluster is asked, the caller asks it. A pod
//! that the rewrite leaves alone stays the pod that Istio made, which iptables intercepts. A pod that cannot be
//! injected is an error.

#[cfg(feature = "cli")]
pub mod cli;
mod containers;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(feature = "cli")]
mod istio;
mod kinds;
mod malformed;
mod ours;
mod outcome;
mod plain;
mod record;
mod rewrite;
pub mod selection;
#[cfg(test)]
mod tests;
mod undo;
mod values;
mod walk;
#[cfg(feature = "cli")]
mod yaml;

#[cfg(feature = "cli")]
pub use istio::{ConfigError, InjectError, InjectFault, Istio, Remote};
pub use kinds::{Kind, KindError};
pub use malformed::Malformed;
pub use outcome::{Outcome, Reason, Verdict, Workload};
pub use plain::{Plain, PlainError, PlainFault};
pub use rewrite::{DEFAULT_IMAGE, DataPath, Rewrite, image_name};
pub use undo::Undo;
pub use values::istio_values;
