// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods by their names in Kubernetes, as the node agent has recorded them. It changes nothing, and needs neither the
//! agent nor an API server.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::output;
use crate::{
    EnrollError, Netns, Node, namespaces,
    records::{Entry, PodName, RUN_DIRECTORY, Record, Records, RulesRecord, RunDirectory, UnprotectedRecord},
};

/// Where the node agent has its records.
#[derive(Args, Debug)]
pub(super) struct RunDirFlag {
    /// Where the node agent keeps the names of pods, and where pods with rules of iptables are noted
    #[arg(long, value_name = "DIR", default_value = RUN_DIRECTORY)]
    run_dir: PathBuf,
}

impl RunDirFlag {
    /// All records of pods. Records that cannot be read are warned of.
    pub(super) fn read(&self) -> Result<Vec<Record>> {
        self.read_all()
    }

    /// The notes of pods whose connections are redirected by rules.
    pub(super) fn read_rules(&self) -> Result<Vec<RulesRecord>> {
        self.read_all()
    }

    /// The notes of pods that run without interception.
    pub(super) fn read_unprotected(&self) -> Result<Vec<UnprotectedRecord>> {
        self.read_all()
    }

    /// The notes of pods with rules, for whoever writes or removes one.
    pub(super) fn rules(&self) -> Result<Records<RulesRecord>> {
        Records::create(&RunDirectory::create(&self.run_dir)?)
    }

    /// Forgets pods that are not enrolled any more, so that the node agent does not enroll them again. Without the
    /// right to do so, a warning says it.
    pub(super) fn forget(&self, is_meant: impl Fn(&Record) -> bool) {
        let forgotten = self.read().and_then(|read| {
            let Some(records) = Records::<Record>::open(&self.run_dir)? else {
                return Ok(());
            };
            read.iter()
                .filter(|record| is_meant(record))
                .try_for_each(|record| records.remove(&record.sandbox))
        });
        if let Err(error) = forgotten {
            output::warning(format_args!(
                "The names of pods that are no longer enrolled are kept (--run-dir): {error:#}"
            ));
        }
    }

    fn read_all<T: Entry>(&self) -> Result<Vec<T>> {
        let Some(records) = Records::open(&self.run_dir)? else {
            return Ok(Vec::new());
        };
        let (records, unreadable) = records.read()?;
        for file in unreadable {
            output::warning(format_args!("{} is no record of a pod: {:#}", file.path.display(), file.error));
        }
        Ok(records)
    }

    /// The records that are of enrolled pods.
    pub(super) fn all_enrolled(&self, node: &Node) -> Result<Vec<Record>> {
        let enrolled = node.enrollments()?;
        let is_enrolled = |record: &Record| {
            let mut enrollments = enrolled.iter();
            enrollments.any(|(cookie, enrollment)| record.is_of(*cookie, enrollment.netns_inode))
        };
        let mut records = self.read()?;
        records.retain(is_enrolled);
        Ok(records)
    }

    /// The same of one pod. A pod whose sandbox has just been replaced has two.
    pub(super) fn of_enrolled(&self, node: &Node, pod: &PodName) -> Result<Vec<Record>> {
        let mut records = self.all_enrolled(node)?;
        records.retain(|record| record.pod == *pod);
        if records.is_empty() {
            return Err(EnrollError::NotEnrolled { name: format!("The pod {pod}") }.into());
        }
        records.sort_by_key(|record| record.since);
        Ok(records)
    }

    /// The network namespace of an enrolled pod; of two, the one that was enrolled last.
    pub(super) fn netns(&self, node: &Node, pod: &PodName) -> Result<Netns> {
        Self::open_netns(&self.of_enrolled(node, pod)?.pop().context("The pod has no record")?)
    }

    /// The network namespace of a record.
    pub(super) fn open_netns(record: &Record) -> Result<Netns> {
        if let Some(netns) = record.open_netns(namespaces::processes()) {
            return Ok(netns);
        }
        bail!(
            "Failed to find the network namespace of the pod {}: net:[{}] has no name that is visible here, and no \
             process; run this on the node itself",
            record.pod,
            record.netns_inode
        )
    }

    /// Replaces a record.
    pub(super) fn write(&self, record: &Record) -> Result<()> {
        Records::create(&RunDirectory::create(&self.run_dir)?)?.write(record)
    }
}
