// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods of a real Kubernetes node, which sees cgroup1 and cgroup2, or cgroup2 alone.
//!
//! The stories of one mode share a node, and run one after the other.

mod agent;
mod daemon_set;
mod guard;
mod init_container;
mod nodes;
mod orderings;
mod pods;
mod sandbox;

use libtest_mimic::{Arguments, Trial};
use testkit::cluster::{CgroupMode, Cluster};

use crate::nodes::Nodes;

/// A story, told on a node.
type Story = fn(&Cluster);

/// Of the node itself.
const OF_THE_NODE: [(&str, fn()); 3] = [
    (
        "another_kubelets_pods_are_not_touched",
        guard::another_kubelets_pods_are_not_touched,
    ),
    (
        "a_guard_that_is_killed_takes_the_processes_along",
        guard::a_guard_that_is_killed_takes_the_processes_along,
    ),
    (
        "a_test_that_ends_early_leaves_nothing",
        guard::a_test_that_ends_early_leaves_nothing,
    ),
];

/// On a node with our plugin.
const WITH_AGENT: [(&str, Story); 3] = [
    (
        "agent::a_daemon_set_with_four_capabilities_enrolls_pods",
        daemon_set::a_daemon_set_with_four_capabilities_enrolls_pods,
    ),
    (
        "agent::pods_are_enrolled_before_their_first_process_and_again_with_the_next_sandbox",
        agent::pods_are_enrolled_before_their_first_process_and_again_with_the_next_sandbox,
    ),
    (
        "agent::without_the_agent_pods_run_on_and_others_start",
        agent::without_the_agent_pods_run_on_and_others_start,
    ),
];

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let stories: [(&str, Story); 6] = [
        (
            "istio_init_enrolls_pods_and_their_next_sandboxes",
            init_container::istio_init_enrolls_pods_and_their_next_sandboxes,
        ),
        (
            "a_deleted_pod_is_collected_by_the_next_run",
            init_container::a_deleted_pod_is_collected_by_the_next_run,
        ),
        (
            "at_add_the_pods_cgroup2_directory_is_there_if_the_node_is_unified",
            orderings::at_add_the_pods_cgroup2_directory_is_there_if_the_node_is_unified,
        ),
        (
            "a_killed_sandbox_is_deleted_before_the_next_is_added_and_again_after_it",
            orderings::a_killed_sandbox_is_deleted_before_the_next_is_added_and_again_after_it,
        ),
        (
            "a_failed_add_is_deleted_and_another_sandbox_is_tried",
            orderings::a_failed_add_is_deleted_and_another_sandbox_is_tried,
        ),
        (
            "plugins_are_not_told_of_a_pod_in_the_hosts_network",
            orderings::plugins_are_not_told_of_a_pod_in_the_hosts_network,
        ),
    ];
    let nodes = Nodes::default();
    let of_the_node = OF_THE_NODE.into_iter().map(|(name, test)| {
        Trial::test(format!("node::{name}"), move || {
            test();
            Ok(())
        })
    });
    let on_it = CgroupMode::ALL.into_iter().flat_map(|mode| {
        let nodes = &nodes;
        stories.into_iter().map(move |(name, story)| {
            let nodes = nodes.clone();
            let trial = Trial::test(format!("{mode}::{name}"), move || {
                nodes.tell(mode, &[], story);
                Ok(())
            });
            // Said by the result: the machine has no cgroup1.
            trial.with_ignored_flag(!mode.is_possible())
        })
    });
    let with_agent = CgroupMode::ALL.into_iter().flat_map(|mode| {
        let nodes = &nodes;
        WITH_AGENT.into_iter().map(move |(name, story)| {
            let nodes = nodes.clone();
            let trial = Trial::test(format!("{mode}::{name}"), move || {
                nodes.tell(mode, &[agent::plugin()], story);
                Ok(())
            });
            trial.with_ignored_flag(!mode.is_possible())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, of_the_node.chain(on_it).chain(with_agent).collect());
    nodes.remove(conclusion.has_failed());
    conclusion.exit();
}
