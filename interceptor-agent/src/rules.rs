// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods whose connections are redirected by rules of iptables: the notes of them, and how they end. Everything here
//! blocks.

use std::time::Duration;

use anyhow::Result;
use interceptor::{
    EnrollError, Netns, Node, Wanted, iptables,
    records::{Record, Records, RulesRecord},
};

/// The pods with rules of this node.
#[derive(Debug)]
pub(crate) struct Rules {
    records: Records<RulesRecord>,
}

impl Rules {
    pub(crate) const fn new(records: Records<RulesRecord>) -> Self {
        Self { records }
    }

    /// Redirects a pod's connections.
    pub(crate) fn apply(&self, netns: &Netns, wanted: &Wanted, node: &Node, wait: Duration) -> Result<(), EnrollError> {
        let applied = iptables::apply(netns, wanted, Some(node), wait)?;
        // Without a note the pod is intercepted all the same.
        if let Err(error) = self.records.write(&RulesRecord::new(netns, applied.programs)) {
            tracing::warn!("`interceptor status` will not show a pod: {error:#}");
        }
        Ok(())
    }

    /// Ends it, as far as that matters: the rules go with the network namespace, so that no runtime has to wait for
    /// rules that cannot be removed. Returns whether there were any.
    pub(crate) fn end(&self, netns: &Netns, wait: Duration) -> bool {
        let removed = iptables::remove(netns, wait).unwrap_or_else(|error| {
            tracing::warn!("the rules of a pod go with its network namespace: {error}");
            true
        });
        self.forget(netns.cookie()) | removed
    }

    /// Forgets a pod. Returns whether it was noted.
    pub(crate) fn forget(&self, netns_cookie: u64) -> bool {
        let key = netns_cookie.to_string();
        let noted = self.records.get(&key).is_ok_and(|noted| noted.is_some());
        if let Err(error) = self.records.remove(&key) {
            tracing::warn!("{error:#}");
        }
        noted
    }

    /// Whether a record is of a pod with rules.
    pub(crate) fn has(&self, record: &Record) -> bool {
        self.read()
            .iter()
            .any(|noted| record.is_of(noted.netns_cookie, noted.netns_inode))
    }

    /// All notes. What is none is left alone.
    pub(crate) fn read(&self) -> Vec<RulesRecord> {
        match self.records.read() {
            Ok((noted, _unreadable)) => noted,
            Err(error) => {
                tracing::warn!("{error:#}");
                Vec::new()
            }
        }
    }
}
