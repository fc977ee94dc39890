// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods of a real Kubernetes node, which sees cgroup1 and cgroup2, or cgroup2 alone.
//!
//! The stories of one mode share a node, and run one after the other.

mod admission;
mod agent;
mod capabilities;
mod chart;
mod chart_iptables;
mod chart_webhook;
mod daemon_set;
mod guard;
mod image_commands;
mod init_container;
mod injected;
mod install;
mod kinds;
mod nodes;
mod orderings;
mod pods;
mod restarts;
mod rewritten;
mod sandbox;
mod verified;
mod waves;
mod webhook;

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

/// Of pods, in both modes. Those with the agent begin and end with a node that has no plugin of ours.
const STORIES: [(&str, Story); 11] = [
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
    (
        "agent::the_plugin_comes_with_the_daemon_set_stays_during_an_update_and_goes_with_it",
        install::the_plugin_comes_with_the_daemon_set_stays_during_an_update_and_goes_with_it,
    ),
    (
        "agent::pods_are_enrolled_before_their_first_process_and_again_with_the_next_sandbox",
        restarts::pods_are_enrolled_before_their_first_process_and_again_with_the_next_sandbox,
    ),
    (
        "agent::without_the_agent_pods_run_on_and_others_start",
        restarts::without_the_agent_pods_run_on_and_others_start,
    ),
    (
        "agent::a_pod_that_started_without_the_plugin_is_repaired_with_the_same_capabilities",
        capabilities::a_pod_that_started_without_the_plugin_is_repaired_with_the_same_capabilities,
    ),
    (
        "agent::whenever_it_is_killed_each_pod_of_a_wave_gets_what_it_should",
        waves::whenever_the_agent_is_killed_each_pod_of_a_wave_gets_what_it_should,
    ),
];

/// In one mode, because the cgroups make no difference.
const OF_ONE_MODE: [(&str, Story); 12] = [
    (
        "agent::a_node_that_boots_with_the_entry_and_without_anything_else_recovers",
        install::a_node_that_boots_with_the_entry_and_without_anything_else_recovers,
    ),
    (
        "baseline_takes_a_pod_rewritten_for_the_plugin_and_no_other",
        admission::baseline_takes_a_pod_rewritten_for_the_plugin_and_no_other,
    ),
    ("agent::a_static_pod_is_enrolled", kinds::a_static_pod_is_enrolled),
    (
        "agent::a_pod_in_the_network_of_the_node_is_left_alone",
        kinds::a_pod_in_the_network_of_the_node_is_left_alone,
    ),
    (
        "agent::a_pod_whose_first_add_fails_is_enrolled_once",
        kinds::a_pod_whose_first_add_fails_is_enrolled_once,
    ),
    (
        "a_rewritten_pod_runs_with_envoy_and_an_init_container",
        rewritten::a_rewritten_pod_runs_with_envoy_and_an_init_container,
    ),
    (
        "a_rewritten_pod_runs_with_envoy_and_the_plugin",
        rewritten::a_rewritten_pod_runs_with_envoy_and_the_plugin,
    ),
    (
        "a_pod_with_an_envoy_without_istio_runs",
        injected::a_pod_with_an_envoy_without_istio_runs,
    ),
    (
        "a_pod_that_istios_template_made_runs_with_envoy",
        injected::a_pod_that_istios_template_made_runs_with_envoy,
    ),
    (
        "agent::it_names_the_capability_that_it_lacks",
        capabilities::the_agent_names_the_capability_that_it_lacks,
    ),
    (
        "agent::a_list_of_its_own_comes_first_and_leaves_that_of_the_network_alone",
        install::a_list_of_its_own_comes_first_and_leaves_that_of_the_network_alone,
    ),
    (
        "agent::pods_start_while_the_list_and_the_program_are_replaced",
        install::pods_start_while_the_list_and_the_program_are_replaced,
    ),
];

/// Of what ships: on a node that has no plugin of ours before and after.
const SHIPPED: [(&str, Story); 5] = [
    (
        "ships::the_image_is_istio_init_without_a_command",
        chart::the_image_is_istio_init_without_a_command,
    ),
    (
        "ships::the_chart_is_installed_upgraded_rolled_back_and_leaves_the_node_as_it_was",
        chart::the_chart_is_installed_upgraded_rolled_back_and_leaves_the_node_as_it_was,
    ),
    (
        "ships::the_charts_webhook_rewrites_pods_keeps_its_certificate_and_goes_with_the_release",
        chart_webhook::the_charts_webhook_rewrites_pods_keeps_its_certificate_and_goes_with_the_release,
    ),
    (
        "ships::with_iptables_in_its_image_the_agent_writes_rules",
        chart_iptables::with_iptables_in_its_image_the_agent_writes_rules,
    ),
    (
        "ships::check_and_verify_run_in_a_pod_of_the_image_with_iptables",
        verified::check_and_verify_run_in_a_pod_of_the_image_with_iptables,
    ),
];

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let nodes = Nodes::default();
    let of_the_node = OF_THE_NODE.into_iter().map(|(name, test)| {
        Trial::test(format!("node::{name}"), move || {
            test();
            Ok(())
        })
    });
    let on_it = CgroupMode::ALL.into_iter().flat_map(|mode| {
        let nodes = &nodes;
        let of_one_mode = OF_ONE_MODE.into_iter().filter(move |_| mode == CgroupMode::Unified);
        STORIES.into_iter().chain(SHIPPED).chain(of_one_mode).map(move |(name, story)| {
            let nodes = nodes.clone();
            let trial = Trial::test(format!("{mode}::{name}"), move || {
                nodes.tell(mode, story);
                Ok(())
            });
            // Said by the result: the machine has no cgroup1.
            trial.with_ignored_flag(!mode.is_possible())
        })
    });
    let of_the_api = webhook::STORIES.into_iter().map(|(name, story)| {
        let nodes = nodes.clone();
        Trial::test(name, move || {
            nodes.tell(CgroupMode::Unified, story);
            Ok(())
        })
    });
    let of_the_image = ["", "-iptables"].map(|suffix| {
        let name = format!(
            "ships::every_command_shows_its_help_in_the_image{}",
            suffix.replace('-', "_with_")
        );
        Trial::test(name, move || {
            image_commands::every_command_shows_its_help(suffix);
            Ok(())
        })
    });
    let all = of_the_node.chain(of_the_image).chain(on_it).chain(of_the_api);
    let conclusion = libtest_mimic::run(&arguments, all.collect());
    nodes.remove(conclusion.has_failed());
    conclusion.exit();
}
