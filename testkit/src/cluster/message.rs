// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `interceptor-cluster` tells the test that started it: one JSON object per line.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a test writes to it so that the node stays when the test is gone.
pub const KEPT: &str = "keep";

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Message {
    /// Another test has a node, and this one comes after it. Said again and again.
    Waiting,
    /// The node's first process runs.
    Node {
        /// Everything that the node writes, and its logs.
        work: PathBuf,
        /// Its first process, as this machine numbers it.
        pid: u32,
        /// A process in the network at the other end of the node's cable.
        outside: u32,
    },
    Step(Step),
    /// Pods can be created.
    Ready,
    /// The node could not be made, or has ended, and why.
    Failed(String),
    /// Everything has been taken away, but these.
    Removed(Vec<String>),
}

/// A part of the way to a node that is ready.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Step {
    pub done: String,
    /// Since the node's first process began.
    pub milliseconds: u128,
}
