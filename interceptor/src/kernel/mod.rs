// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Everything that talks to the kernel: programs, maps, pins, links, namespaces, cgroups. The only place in this
//! crate with `unsafe`, and the only one that knows a map's name.
//!
//! State is what is pinned, nothing else:
//!
//! ```text
//! <bpffs>/interceptor/v<ABI>/maps/…           shared by all pods of the node
//! <bpffs>/interceptor/v<ABI>/programs/…       loaded once, attached to every pod's cgroup
//! <bpffs>/interceptor/v<ABI>/pods/<cookie>/…  links to a pod's network namespace
//! <bpffs>/interceptor/v<ABI>/cgroups/<id>/…   links to a cgroup
//! <bpffs>/interceptor/v<ABI>/acceleration/…   maps, programs and links, while pods are accelerated
//! ```
//!
//! A pod is enrolled when, and only when, it has an entry in the map of pods. It is written last and removed first,
//! so whatever kills a run leaves the old state or the new one.

pub(crate) mod check;
pub(crate) mod enroll;
pub(crate) mod node;
pub(crate) mod pod;
pub(crate) mod programs;
pub(crate) mod sys;

pub use pod::process::processes;
#[cfg(feature = "records")]
pub(crate) use sys::named_file;
