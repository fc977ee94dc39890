// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From a configuration and the facts of a pod to what stands in the kernel's maps. Nothing here touches a map.

mod addresses;
mod compiled;
mod interfaces;
mod numbers;
mod policy;
mod prefixes;
mod primaries;
mod routes;

pub use compiled::{AddressPrefix, CompiledPolicy, NumberPrefix, SourcePrefix};
pub use interfaces::unknown_interfaces;
pub use policy::{MAX_PREFIXES_PER_POD, compile};
pub use routes::representatives;
