// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is enrolled, and what the records say of it: they are matched at the start, and when pods are gone.

use std::collections::HashMap;

use interceptor::{EnrollError, Node, records::Record};

use super::{Enrollments, LOCK, restore::is_elsewhere};

/// What there is after a start.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) named: usize,
    /// Cookies of pods that somebody else enrolled.
    pub(crate) unnamed: Vec<u64>,
}

impl Enrollments {
    /// Removes what belongs to network namespaces that are gone. Returns how many pods there were.
    pub(crate) fn collect(&self) -> Result<usize, EnrollError> {
        let node = self.node()?;
        let gone = node.collect_garbage(LOCK)?.len();
        self.adopt_from(&node)?;
        Ok(gone)
    }

    /// Gives pods that another build enrolled the programs of this one. If that fails, they are intercepted all the
    /// same.
    pub(crate) fn upgrade(&self) {
        match self.node().and_then(|node| node.upgrade(LOCK)) {
            Ok(Some(upgrade)) if !upgrade.is_done() => {
                let from = upgrade
                    .from
                    .map_or_else(|| "an unknown build".to_owned(), |from| from.to_string());
                tracing::info!(pods = upgrade.pods, from, to = %upgrade.to, "replaced the programs of enrolled pods");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("Failed to replace the programs of enrolled pods by this build's: {error}"),
        }
    }

    /// Loads the programs and shared maps of the node if they are not there, and keeps them.
    pub(crate) fn keep(&self) -> Result<(), EnrollError> {
        self.node()?.keep(LOCK)
    }

    /// Ends that: without pods, nothing of the programs stays.
    pub(crate) fn release(&self) -> Result<(), EnrollError> {
        self.node()?.release(LOCK)
    }

    /// Matches what is enrolled with the records. Removes records of pods that are not enrolled, and changes no
    /// enrollment.
    pub(crate) fn adopt(&self) -> Result<Adopted, EnrollError> {
        for file in self.records.read()?.1 {
            tracing::warn!(
                "{} is no record of a pod, and is left alone: {:#}",
                file.path.display(),
                file.error
            );
        }
        self.adopt_from(&self.node()?)
    }

    fn adopt_from(&self, node: &Node) -> Result<Adopted, EnrollError> {
        let (enrolled, home) = (node.enrollments()?, node.home()?);
        let mut unnamed: HashMap<u64, u64> = enrolled
            .iter()
            .map(|(cookie, enrollment)| (*cookie, enrollment.netns_inode))
            .collect();
        let mut named = 0;
        for record in self.read() {
            let of_record = unnamed.get(&record.netns_cookie).copied();
            if of_record.is_some_and(|inode| record.is_of(record.netns_cookie, inode)) {
                unnamed.remove(&record.netns_cookie);
                named += 1;
                self.note_home(record, home)?;
            } else if self.rules.has(&record) {
                tracing::debug!(pod = %record.pod, "the pod has rules of iptables");
            } else if of_record.is_none() && node.is_pinned(record.netns_cookie)? {
                tracing::debug!(pod = %record.pod, "another version of Interceptor has enrolled this pod");
            } else if is_elsewhere(&record, home) {
                tracing::debug!(pod = %record.pod, "the enrollment of this pod went with the BPF file system");
            } else {
                tracing::debug!(sandbox = record.sandbox, pod = %record.pod, "forgetting a pod that is not enrolled");
                self.forget(&record.sandbox);
            }
        }
        let mut unnamed: Vec<u64> = unnamed.into_keys().collect();
        unnamed.sort_unstable();
        Ok(Adopted { named, unnamed })
    }

    /// Records of earlier versions have no home.
    fn note_home(&self, record: Record, home: Option<u64>) -> Result<(), EnrollError> {
        if record.fingerprint.is_some() && record.home != home {
            self.records.write(&Record { home, ..record })?;
        }
        Ok(())
    }
}
