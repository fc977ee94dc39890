// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Floor 3: what is pinned on this node: maps, programs and links, of all pods. It never decides what a pod needs.

pub(crate) mod acceleration;
pub mod bpffs;
pub(crate) mod links;
pub(crate) mod maps;
pub(crate) mod pinned;
pub mod snapshot;
pub mod status;
#[cfg(feature = "kernel-log")]
pub mod trace;
