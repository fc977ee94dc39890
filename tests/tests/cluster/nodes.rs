// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The node that stories share.

use std::sync::{Arc, Mutex, PoisonError};

use testkit::cluster::{CgroupMode, Cluster};

/// At most one node, started when a story first needs it.
#[derive(Clone, Default)]
pub(crate) struct Nodes(Arc<Mutex<Option<Cluster>>>);

impl Nodes {
    /// Tells a story on a node of this mode. The node before it goes first, if it has another one.
    pub(crate) fn tell(&self, mode: CgroupMode, story: fn(&Cluster)) {
        // A story that has failed leaves pods, and a node that works.
        let mut node = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if node.as_ref().is_some_and(|node| node.mode() != mode) {
            drop(node.take());
        }
        story(node.get_or_insert_with(|| Cluster::start(mode)));
    }

    /// After the last story.
    pub(crate) fn remove(self, has_failed: bool) {
        let node = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut node) = node {
            if has_failed {
                node.failed();
            }
            drop(node);
        }
    }
}
