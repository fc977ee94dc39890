// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods by their names in Kubernetes, as the node agent has recorded them. It changes nothing, and needs neither the
//! agent nor an API server.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::output;
use crate::{
    EnrollError, Netns, Node,
    records::{Entry, PodName, RUN_DIRECTORY, Record, Records, RulesRecord, RunDirectory},
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

    /// The same, for whoever writes or removes one.
    pub(super) fn rules(&self) -> Result<Records<RulesRecord>> {
        Records::create(&RunDirectory::create(&self.run_dir)?)
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

    /// The records of a pod that are of enrolled pods. A pod whose sandbox has just been replaced has two.
    pub(super) fn of_enrolled(&self, node: &Node, pod: &PodName) -> Result<Vec<Record>> {
        let enrolled = node.enrollments()?;
        let is_enrolled = |record: &Record| {
            let mut enrollments = enrolled.iter();
            enrollments.any(|(cookie, enrollment)| record.is_of(*cookie, enrollment.netns_inode))
        };
        let mut records = self.read()?;
        records.retain(|record| record.pod == *pod && is_enrolled(record));
        if records.is_empty() {
            return Err(EnrollError::NotEnrolled { name: format!("The pod {pod}") }.into());
        }
        records.sort_by_key(|record| record.since);
        Ok(records)
    }

    /// The network namespace of an enrolled pod; of two, the one that was enrolled last.
    pub(super) fn netns(&self, node: &Node, pod: &PodName) -> Result<Netns> {
        let record = self.of_enrolled(node, pod)?.pop().context("The pod has no record")?;
        if let Some(netns) = record.open_netns(Path::new("/proc")) {
            return Ok(netns);
        }
        bail!(
            "Failed to find the network namespace of the pod {pod}: net:[{}] has no name that is visible here, and no \
             process; run this on the node itself",
            record.netns_inode
        )
    }
}
