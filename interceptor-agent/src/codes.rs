// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The codes of refusals, which the plugin prints as CNI errors
//! ([CNI](https://github.com/containernetworking/cni/blob/v1.3.0/SPEC.md#error)). Those from 100 on are ours.

/// The pod is unknown, or another one.
pub(crate) const UNKNOWN_POD: u32 = 3;
/// The runtime did not say enough in the plugin's environment.
pub(crate) const ENVIRONMENT: u32 = 4;
/// The message cannot be understood.
pub(crate) const MALFORMED: u32 = 6;
/// The network namespace is missing, or is none that may be enrolled.
pub(crate) const NETWORK_NAMESPACE: u32 = 8;
/// The same request may succeed in a moment.
pub(crate) const TRY_AGAIN: u32 = 11;
/// To STATUS: no pod can be enrolled now.
pub(crate) const NOT_AVAILABLE: u32 = 50;
/// The pod is not as it should be, or could not be enrolled.
pub(crate) const FAILED: u32 = 100;
/// What the pod asks for is not valid.
pub(crate) const BAD_POD: u32 = 101;
/// A fault of this program.
pub(crate) const INTERNAL: u32 = 999;
