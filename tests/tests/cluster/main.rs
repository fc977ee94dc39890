// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods of a real Kubernetes node, which sees cgroup1 and cgroup2, or cgroup2 alone.
//!
//! The stories of one mode share a node, and run one after the other.

mod init_container;
mod nodes;
mod pods;

use libtest_mimic::{Arguments, Trial};
use testkit::cluster::{CgroupMode, Cluster};

use crate::nodes::Nodes;

/// A story, told on a node.
type Story = fn(&Cluster);

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let stories: [(&str, Story); 2] = [
        (
            "istio_init_enrolls_pods_and_their_next_sandboxes",
            init_container::istio_init_enrolls_pods_and_their_next_sandboxes,
        ),
        (
            "a_deleted_pod_is_collected_by_the_next_run",
            init_container::a_deleted_pod_is_collected_by_the_next_run,
        ),
    ];
    let nodes = Nodes::default();
    let trials = CgroupMode::ALL.into_iter().flat_map(|mode| {
        let nodes = &nodes;
        stories.into_iter().map(move |(name, story)| {
            let nodes = nodes.clone();
            let trial = Trial::test(format!("{mode}::{name}"), move || {
                nodes.tell(mode, story);
                Ok(())
            });
            // Said by the result: the machine has no cgroup1.
            trial.with_ignored_flag(!mode.is_possible())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    nodes.remove(conclusion.has_failed());
    conclusion.exit();
}
