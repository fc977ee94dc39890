// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The names of pods, which events know by the cookies of their network namespaces.

use std::collections::HashMap;

use anyhow::Result;

use super::super::{
    names::{name_of, path_of},
    output,
    pods::RunDirFlag,
};
use crate::Node;

/// Names of pods, each found out once.
pub(super) struct Names<'a> {
    node: &'a Node,
    run_dir: &'a RunDirFlag,
    known: HashMap<u64, String>,
}

impl<'a> Names<'a> {
    pub(super) fn new(node: &'a Node, run_dir: &'a RunDirFlag) -> Self {
        Self { node, run_dir, known: HashMap::new() }
    }

    /// What people call the pod: its name in Kubernetes, or its network namespace.
    pub(super) fn of(&mut self, netns_cookie: u64) -> Result<&str> {
        if !self.known.contains_key(&netns_cookie) {
            let name = self.find(netns_cookie)?;
            self.known.insert(netns_cookie, name);
        }
        Ok(self.known.get(&netns_cookie).map_or("", String::as_str))
    }

    fn find(&self, netns_cookie: u64) -> Result<String> {
        let Some(enrollment) = self.node.enrollment(netns_cookie)? else {
            return Ok(format!("cookie:{netns_cookie}")); // it was unenrolled since
        };
        // Without names there is a trace too.
        let records = self.run_dir.read().unwrap_or_else(|error| {
            output::warning(format_args!("The names of pods are not known: {error:#}"));
            Vec::new()
        });
        let record = records.iter().find(|record| record.is_of(netns_cookie, enrollment.netns_inode));
        Ok(match record {
            Some(record) => record.pod.to_string(),
            None => name_of(None, path_of(enrollment.netns_inode).as_deref(), enrollment.netns_inode),
        })
    }
}
