// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One note of a pod that has a sidecar, runs, and is not intercepted. The values only; where they are kept is in
//! `records`.

use serde::{Deserialize, Serialize};

use super::{
    entry::Entry,
    record::{PodName, Version},
};

/// A pod whose connections pass its sidecar by, as the node agent saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnprotectedRecord {
    pub version: Version,
    pub pod: PodName,
    /// As the runtime knows it.
    pub uid: String,
    pub netns_cookie: u64,
    pub netns_inode: u64,
    /// When that was seen first, in seconds since 1970.
    pub since: u64,
}

impl Entry for UnprotectedRecord {
    const DIRECTORY: &'static str = "unprotected";

    fn key(&self) -> String {
        self.uid.clone()
    }
}
