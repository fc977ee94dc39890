// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names and addresses of the node.

/// What the node is called in the API.
pub const NODE_NAME: &str = "node";

/// The node, where the API is served as well: port 6443, HTTPS.
pub const NODE_ADDRESS: &str = "10.250.0.2";

/// The other end of the node's cable.
pub const OUTSIDE_ADDRESS: &str = "10.250.0.1";
