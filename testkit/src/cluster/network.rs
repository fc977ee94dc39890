// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names, addresses and paths that the node has, and the image that it has from the start.

/// The image of every pod's first container, called `pause` on other nodes, and a small system for others.
pub const BUSYBOX_IMAGE: &str = "localhost/busybox:1";

/// Where kubelet looks for pods that nobody has told the API of.
pub const STATIC_PODS: &str = "/etc/kubernetes/manifests";

/// What the node is called in the API.
pub const NODE_NAME: &str = "node";

/// The node, where the API is served as well: port 6443, HTTPS.
pub const NODE_ADDRESS: &str = "10.250.0.2";

/// The other end of the node's cable.
pub const OUTSIDE_ADDRESS: &str = "10.250.0.1";
