// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An agent that ends takes the CNI plugin off the node if it is being uninstalled, and leaves it otherwise.

use rstest::rstest;
use serde_json::json;
use testkit::{scene::Scene, wait_until};

use crate::{
    api::Api,
    host::Host,
    lab::{Agent, Lab},
    sandbox::Sandbox,
};

fn start(lab: &Lab, host: &Host<'_>, more: &[&str]) -> Agent {
    let flags = host.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
    let agent = lab.start_with(&flags);
    wait_until("it is ready", || agent.readiness().0 == 200);
    agent
}

/// The `DaemonSet` is for nodes of the pool `web`, and this is the pool of the node.
fn put_for_pool(api: &Api, pool: Option<&str>) {
    api.put_daemon_set(&json!({}));
    let expression = json!({"key": "pool", "operator": "In", "values": ["web"]});
    api.set_template(&json!({"containers": [], "affinity": {"nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]},
    }}}));
    if let Some(pool) = pool {
        api.put_node(&json!({ "pool": pool }));
    }
}

#[rstest]
#[case::is_there(|api: &Api| api.put_daemon_set(&json!({})), true)]
#[case::is_gone(|_: &Api| {}, false)]
#[case::is_being_deleted(|api: &Api| api.put_daemon_set(&json!({"deletionTimestamp": "2026-01-01T00:00:00Z"})), false)]
#[case::account_is_gone(|api: &Api| api.refuse_daemon_set(401, "Unauthorized"), false)]
#[case::rights_are_gone(|api: &Api| api.refuse_daemon_set(403, "Forbidden"), false)]
#[case::server_is_broken(|api: &Api| api.refuse_daemon_set(500, "InternalError"), true)]
#[case::server_is_away(|api: &Api| api.set_down(true), true)]
#[case::is_for_this_node(|api: &Api| put_for_pool(api, Some("web")), true)]
#[case::is_for_other_nodes(|api: &Api| put_for_pool(api, Some("db")), false)]
#[case::node_is_gone(|api: &Api| put_for_pool(api, None), false)]
fn the_plugin_goes_with_the_daemon_set(#[case] change: fn(&Api), #[case] stays: bool) {
    let lab = Lab::new();
    let host = Host::with_network(&lab);
    let agent = start(&lab, &host, &[]);
    change(&lab.api);
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log:#?}");
    assert_eq!(host.has_entry(), stays, "{log:#?}");
    assert_eq!(host.has_program(), stays, "{log:#?}");
    assert_eq!(host.plugins().len(), if stays { 3 } else { 2 }, "the network stays");
}

#[rstest]
#[case::by_default(&[], 1)]
#[case::if_it_shall_be_clean(&["--uninstall-clean"], 0)]
fn running_pods_stay_intercepted_unless_they_shall_not(#[case] flags: &[&str], #[case] left: usize) {
    let lab = Lab::new();
    let host = Host::with_network(&lab);
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    let agent = start(&lab, &host, flags);
    lab.expect_enrolled(&sandbox);
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log:#?}");
    assert!(!host.has_entry() && !host.has_program());
    assert_eq!((lab.enrollments().len(), lab.records().len()), (left, left));
}

#[test]
fn an_agent_that_was_not_asked_to_install_takes_nothing_off() {
    let lab = Lab::new();
    let host = Host::with_network(&lab);
    let agent = start(&lab, &host, &[]);
    agent.kill();
    let (code, _) = lab.start_synced().stop();
    assert_eq!(code, Some(0));
    assert!(host.has_entry() && host.has_program());
}
