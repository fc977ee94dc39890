// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the runtime, the operator or the plugins before this one got wrong. Nobody is asked then.

use std::fs;

use rstest::rstest;
use serde_json::json;

use crate::{
    agent::{Agent, enrolled},
    node::{Cgroups, on},
};

#[test]
fn the_nodes_own_network_namespace_is_refused() {
    on(Cgroups::Unified, |node| {
        let agent = Agent::start(node.with_cgroup(), enrolled());
        let plugin = node.plugin("ADD").injected().env("CNI_NETNS", "/proc/self/ns/net");
        let msg = plugin.run().expect_error(8);
        assert!(msg.contains("is the node's own network namespace"), "{msg}");
        assert!(agent.stop().is_empty());
    });
}

#[test]
fn what_is_no_network_namespace_is_refused() {
    on(Cgroups::Unified, |node| {
        let agent = Agent::start(node.with_cgroup(), enrolled());
        let file = node.run_dir().join("file");
        fs::write(&file, "").unwrap();
        for (path, why) in [
            (file.to_str().unwrap(), "is no network namespace"),
            ("/nowhere", "cannot be opened"),
            ("/proc/self/ns/mnt", "is no network namespace"),
        ] {
            let msg = node.plugin("ADD").injected().env("CNI_NETNS", path).run().expect_error(8);
            assert!(msg.contains(why) && msg.contains(path), "{msg}");
        }
        node.plugin("ADD").injected().env("CNI_NETNS", "").run().expect_error(4);
        assert!(agent.stop().is_empty());
    });
}

#[rstest]
#[case::empty("", 6)]
#[case::no_json("hello", 6)]
#[case::half(r#"{"cniVersion":"1.0.0","#, 6)]
#[case::no_object("[]", 6)]
#[case::ambient(r#"{"cniVersion":"1.0.0","ambient_enabled":true}"#, 7)]
#[case::future(r#"{"cniVersion":"9.0.0"}"#, 1)]
#[case::relative_run_directory(r#"{"cniVersion":"1.0.0","cni_agent_run_dir":"run"}"#, 7)]
#[case::endless_timeout(r#"{"cniVersion":"1.0.0","request_timeout_ms":99999999}"#, 7)]
fn an_entry_that_cannot_be_meant_fails_add(#[case] stdin: &str, #[case] code: u32) {
    on(Cgroups::Unified, |node| {
        let msg = node.plugin("ADD").stdin(stdin).run().expect_error(code);
        assert!(!msg.is_empty());
        node.plugin("DEL").stdin(stdin).run().expect_silence();
    });
}

#[test]
fn unknown_keys_of_the_entry_are_accepted() {
    on(Cgroups::Unified, |node| {
        let plugin = node
            .plugin("ADD")
            .annotations(json!({}))
            .key("enablement_selectors", json!([{ "a": 1 }]));
        plugin.key("new", json!({ "key": [] })).run().expect("passed", "");
    });
}

#[rstest]
#[case("CNI_CONTAINERID", "")]
#[case("CNI_CONTAINERID", "../../etc")]
#[case("CNI_IFNAME", "")]
#[case("CNI_IFNAME", "a/b")]
#[case("CNI_ARGS", "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_UID=../..")]
#[case("CNI_COMMAND", "DANCE")]
fn a_bad_variable_fails_add_and_is_named(#[case] name: &str, #[case] value: &str) {
    on(Cgroups::Unified, |node| {
        let msg = node.plugin("ADD").injected().env(name, value).run().expect_error(4);
        assert!(msg.starts_with(name), "{msg}");
    });
}

#[test]
fn addresses_of_the_plugin_before_that_are_none_fail_add() {
    on(Cgroups::Unified, |node| {
        let _agent = Agent::start(node.with_cgroup(), enrolled());
        let result = json!({ "ips": [{ "address": "web" }] });
        let msg = node.plugin("ADD").injected().key("prevResult", result).run().expect_error(6);
        assert!(msg.contains("\"web\" is no address"), "{msg}");
    });
}
