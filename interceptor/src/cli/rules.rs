// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `interceptor status` says of pods whose connections are redirected by rules of iptables.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use super::{
    data_path,
    names::{name_of, path_of},
    output,
    pods::RunDirFlag,
};
use crate::{
    IstioRules, Netns,
    records::{PodName, Record, RulesRecord},
};

/// A pod with rules, as `--output json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct RulesStatus {
    /// Its name in Kubernetes, if the node agent wrote the rules.
    pub(super) pod: Option<PodName>,
    uid: Option<String>,
    sandbox: Option<String>,
    /// The path of its network namespace, if it has a name.
    netns: Option<PathBuf>,
    netns_cookie: u64,
    netns_inode: u64,
    /// By which packet filter of the kernel the rules work. Nothing if the namespace is gone, or not visible from here.
    filter: Option<&'static str>,
    /// The programs that wrote the rules.
    programs: Vec<String>,
}

/// The pods with rules that are noted. A pod whose rules somebody has removed is none.
pub(super) fn read(run_dir: &RunDirFlag, records: &[Record]) -> Result<Vec<RulesStatus>> {
    let mut noted = run_dir.read_rules()?;
    noted.sort_by_key(|noted| noted.netns_cookie);
    let mut pods = Vec::new();
    for noted in noted {
        let filter = match data_path::visible(&noted) {
            None => None,
            Some(netns) => match rules_of(&netns).filter(|rules| rules.ours) {
                None => continue,
                Some(rules) => Some(rules.filter),
            },
        };
        pods.push(RulesStatus::of(noted, filter, records));
    }
    Ok(pods)
}

/// What a pod has. A pod can have more than anybody can read, and must not hide the others by that.
pub(super) fn rules_of(netns: &Netns) -> Option<IstioRules> {
    netns.istio_rules().unwrap_or_else(|error| {
        let error = anyhow::Error::new(error);
        output::warning(format_args!(
            "It is not known whether {} has Istio's rules: {error:#}",
            netns.name()
        ));
        None
    })
}

impl RulesStatus {
    fn of(noted: RulesRecord, filter: Option<&'static str>, records: &[Record]) -> Self {
        let RulesRecord { version: _, netns_cookie, netns_inode, netns: _, programs, since: _ } = noted;
        let record = records.iter().find(|record| record.is_of(netns_cookie, netns_inode));
        Self {
            pod: record.map(|record| record.pod.clone()),
            uid: record.and_then(|record| record.uid.clone()),
            sandbox: record.map(|record| record.sandbox.clone()),
            netns: filter.and_then(|_there| path_of(netns_inode)),
            netns_cookie,
            netns_inode,
            filter,
            programs,
        }
    }

    /// What `--output text` prints, without a line break at its end.
    pub(super) fn text(&self) -> String {
        let Self { pod, netns, netns_inode, filter, programs, .. } = self;
        let name = name_of(pod.as_ref(), netns.as_deref(), *netns_inode);
        let filter = filter.unwrap_or("not known: the network namespace is gone, or not visible from here");
        let programs = programs.join(", ");
        format!("Pod {name}\n  data path    iptables, not eBPF\n  filter       {filter}\n  written by   {programs}")
    }
}
