// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A Kubernetes node with its control plane, for tests that need what only a real one does: kubelet's and the
//! container runtime's order of events, probes, admission.
//!
//! The node has network, mount and PID namespaces of its own, and a bpffs. It sees the paths that a node has, such as
//! `/var/lib/kubelet` and `/etc/cni/net.d`; nothing of them is visible outside. The program `interceptor-cluster`
//! makes it, and takes it away when the test ends, however it ends.

mod archive;
mod calls;
mod cni_plugins;
mod files;
mod handle;
mod kubectl;
mod kubernetes;
mod message;
mod mode;
mod network;
mod program;
mod sandbox;

pub use archive::Image;
pub use calls::{CALLS, CniCall, FAIL_NEXT_ADD};
pub use cni_plugins::cni_plugins;
pub use handle::Cluster;
pub use kubernetes::Kubernetes;
pub use message::{KEPT, Message, Step};
pub use mode::CgroupMode;
pub use network::{BUSYBOX_IMAGE, NODE_ADDRESS, NODE_NAME, OUTSIDE_ADDRESS, STATIC_PODS};
pub use sandbox::Sandbox;
