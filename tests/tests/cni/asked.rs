// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods that the agent decides, and an agent that does not.

use std::{fs, path::Path};

use interceptor_wire::Did;
use rstest::rstest;

use crate::{
    agent::{Agent, Reply, did, enrolled, inode, refused},
    node::{Cgroups, UID, burstable, on},
    plugin::SANDBOX,
};

#[test]
fn an_injected_pod_is_asked_for_with_its_namespace_and_its_cgroup() {
    on(Cgroups::Unified, |node| {
        let agent = Agent::start(node.with_cgroup(), enrolled());
        let result = node.plugin("ADD").injected().run().expect("enrolled", "the agent says so");
        assert_eq!(result["ips"][0]["address"], "10.0.0.2/24");
        let asked = agent.stop();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].netns, Some(inode(Path::new(&node.netns()))));
        assert_eq!(asked[0].cgroup, Some(node.cgroup2(&burstable())));
        let attachment = asked[0].attachment();
        assert_eq!(
            (attachment.container_id.as_str(), attachment.ifname.as_str()),
            (SANDBOX, "eth0")
        );
        assert_eq!(attachment.pod.as_ref().unwrap().uid.as_ref().unwrap().as_str(), UID);
        assert_eq!(attachment.ips, ["10.0.0.2".parse::<std::net::IpAddr>().unwrap()]);
    });
}

#[test]
fn without_annotations_the_agent_is_asked_and_may_let_a_pod_pass() {
    on(Cgroups::Unified, |node| {
        let agent = Agent::start(node.with_cgroup(), did(Did::Skipped));
        node.plugin("ADD").run().expect("passed", "the agent says so");
        assert_eq!(agent.stop().len(), 1);
    });
}

#[test]
fn without_annotations_and_without_an_agent_a_pod_fails_and_is_tried_again() {
    on(Cgroups::Unified, |node| {
        let msg = node.plugin("ADD").run().expect_error(11);
        assert!(
            msg.starts_with("The node agent of Interceptor did not answer; kubelet tries again ("),
            "{msg}"
        );
        assert!(msg.contains(&node.run_dir().join("cni.sock").display().to_string()), "{msg}");
    });
}

#[rstest]
#[case::unified(Cgroups::Unified)]
#[case::hybrid(Cgroups::Hybrid)]
fn without_an_agent_an_injected_pod_fails_and_leaves_nothing_behind(#[case] cgroups: Cgroups) {
    on(cgroups, |node| {
        if cgroups == Cgroups::Hybrid {
            fs::create_dir_all(node.version1(&burstable())).unwrap();
        }
        node.plugin("ADD").injected().run().expect_error(11);
        assert!(!node.cgroup2("kubepods").exists());
        let left: Vec<_> = fs::read_dir(node.run_dir())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["interceptor-cni.log"]);
    });
}

#[test]
fn an_agent_that_is_restarted_is_waited_for() {
    on(Cgroups::Unified, |node| {
        node.with_cgroup();
        std::thread::scope(|scope| {
            let plugin = node.plugin("ADD").injected().key("connect_timeout_ms", 60_000);
            let add = scope.spawn(|| plugin.run());
            // Whether the plugin is there before the agent or after it, it finds it.
            let _agent = Agent::start(node, enrolled());
            add.join().unwrap().expect("enrolled", "");
        });
    });
}

#[test]
fn an_agent_that_never_answers_is_given_up_in_time() {
    on(Cgroups::Unified, |node| {
        let _agent = Agent::start(node.with_cgroup(), Reply::Silence);
        let plugin = node.plugin("ADD").injected().key("request_timeout_ms", 500);
        let msg = plugin.run().expect_error(11);
        assert!(msg.contains("accepted the connection and did not answer in time"), "{msg}");
    });
}

#[test]
fn an_agent_that_dies_before_it_answers_is_no_success() {
    on(Cgroups::Unified, |node| {
        let _agent = Agent::start(node.with_cgroup(), Reply::HangUp);
        let msg = node.plugin("ADD").injected().run().expect_error(11);
        assert!(msg.contains("the connection to the agent broke"), "{msg}");
    });
}

#[rstest]
#[case(100, "The pod default/web-0 has another UID in the API; kubelet tries again")]
#[case(
    7,
    "The annotation traffic.sidecar.istio.io/includeOutboundIPRanges is \"x\", which is no list of prefixes"
)]
#[case(11, "256 pods wait for the agent already; kubelet tries again")]
fn what_the_agent_refuses_fails_with_its_code_and_words(#[case] code: u32, #[case] words: &'static str) {
    on(Cgroups::Unified, |node| {
        let _agent = Agent::start(node.with_cgroup(), refused(code, words));
        let msg = node.plugin("ADD").injected().run().expect_error(code);
        assert_eq!(msg, words);
    });
}

#[rstest]
#[case::not_for_add(did(Did::Ready))]
#[case::no_json(Reply::Raw("hello"))]
#[case::another_version(Reply::Raw(r#"{"v":2,"ok":true,"did":"enrolled","why":""}"#))]
#[case::half(Reply::Raw(r#"{"v":1,"ok":true}"#))]
fn what_is_no_answer_to_add_is_no_success(#[case] reply: Reply) {
    on(Cgroups::Unified, |node| {
        let _agent = Agent::start(node.with_cgroup(), reply);
        let msg = node.plugin("ADD").injected().run().expect_error(100);
        assert!(msg.starts_with("The node agent of Interceptor"), "{msg}");
    });
}
