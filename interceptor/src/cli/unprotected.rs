// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `interceptor status` says of pods that run without interception, as the node agent has noted them.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use super::{
    names::{name_of, path_of},
    pods::RunDirFlag,
    rules::rules_of,
};
use crate::{
    namespaces,
    records::{PodName, UnprotectedRecord},
};

/// A pod that is not intercepted, as `--output json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct UnprotectedStatus {
    pub(super) pod: PodName,
    uid: String,
    /// The path of its network namespace, if it has a name.
    netns: Option<PathBuf>,
    netns_cookie: u64,
    netns_inode: u64,
    /// Since when, in seconds since 1970.
    since: u64,
}

/// The pods that are noted, but for those that are intercepted by now, or gone.
pub(super) fn read(run_dir: &RunDirFlag, enrolled: &[u64]) -> Result<Vec<UnprotectedStatus>> {
    let mut noted = run_dir.read_unprotected()?;
    noted.sort_by(|one, other| one.pod.cmp(&other.pod));
    let mut pods = Vec::new();
    for UnprotectedRecord { version: _, pod, uid, netns_cookie, netns_inode, since } in noted {
        let Some(netns) = namespaces::find(netns_cookie, netns_inode, None, namespaces::processes()) else {
            continue;
        };
        if enrolled.contains(&netns_cookie) || rules_of(&netns).is_some() {
            continue;
        }
        let netns = path_of(netns_inode);
        pods.push(UnprotectedStatus { pod, uid, netns, netns_cookie, netns_inode, since });
    }
    Ok(pods)
}

impl UnprotectedStatus {
    /// What `--output text` prints, without a line break at its end.
    pub(super) fn text(&self) -> String {
        let name = name_of(Some(&self.pod), self.netns.as_deref(), self.netns_inode);
        format!(
            "Pod {name}\n  data path    NONE: its connections pass its sidecar by; delete the pod, and it starts anew"
        )
    }
}
