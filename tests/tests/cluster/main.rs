// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A Kubernetes node.
fn main() {}
