// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the runtime has asked of the node's chain of CNI plugins.

use std::{fs, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::Cluster;

/// One call of the plugins, as the last of the chain was told of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct CniCall {
    /// `CNI_COMMAND`
    pub command: String,
    /// `CNI_CONTAINERID`
    pub sandbox: String,
    /// `CNI_NETNS`, which the runtime sets to nothing when it no longer knows.
    pub netns: String,
    /// `K8S_POD_NAME`
    pub pod: String,
    /// `K8S_POD_UID`
    pub uid: String,
    pub has_previous_result: bool,
    /// The pod's directory in cgroup2, if it was there.
    pub cgroup2: Option<PathBuf>,
    /// The call was made to fail.
    pub failed: bool,
}

/// Of the file with one call in each line, in the directory of logs.
pub const CALLS: &str = "cni-calls.jsonl";

/// The file in the work directory that makes the next ADD fail.
pub const FAIL_NEXT_ADD: &str = "fail-next-add";

impl Cluster {
    /// The calls for a pod, oldest first.
    pub fn cni_calls(&self, pod: &str) -> Vec<CniCall> {
        let text = fs::read_to_string(self.logs().join(CALLS)).unwrap_or_default();
        let lines = text.lines().map(serde_json::from_str);
        let calls = lines.map(|call| call.unwrap_or_else(|error| panic!("{error} in {text}")));
        calls.filter(|call: &CniCall| call.pod == pod).collect()
    }

    /// The last plugin of the chain refuses the next ADD, of whichever pod.
    pub fn fail_next_add(&self) {
        let path = self.work().join(FAIL_NEXT_ADD);
        fs::write(&path, "").unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
    }
}
