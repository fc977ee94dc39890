// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Everything that talks to the kernel: programs, maps, pins, links, namespaces, cgroups. The only place in this crate
//! with `unsafe`, and the only one that knows a map's name.
//!
//! State is what is pinned, nothing else:
//!
//! ```text
//! <bpffs>/interceptor/v<ABI>/maps/…           shared by all pods of the node
//! <bpffs>/interceptor/v<ABI>/programs/…       loaded once, attached to every pod's cgroup
//! <bpffs>/interceptor/v<ABI>/pods/<cookie>/…  a pod's links
//! <bpffs>/interceptor/v<ABI>/acceleration/…   maps, programs and links, while pods are accelerated
//! ```
//!
//! A pod is enrolled when, and only when, it has an entry in the map of pods. It is written last and removed first, so
//! whatever kills a run leaves the old state or the new one.

mod acceleration;
mod acceleration_trial;
pub mod bpffs;
mod btf;
pub mod cgroup;
pub mod enrollment;
mod ipv6;
mod known_bad;
mod links;
mod listeners;
mod listening;
mod lookup_stub;
mod netlink;
pub mod netns;
mod node;
mod object;
pub mod pods;
pub mod probe;
mod raw;
mod routes;
pub mod snapshot;
mod sys;
mod tables;
mod tproxy;
#[cfg(feature = "kernel-log")]
pub mod trace;
mod trial;
mod upstream;
mod userns;
