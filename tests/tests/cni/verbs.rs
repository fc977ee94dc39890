// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The other verbs.

use interceptor_wire::{Did, Request};
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    agent::{Agent, Reply, did, inode, refused},
    node::{Cgroups, on},
    plugin::SANDBOX,
};

#[test]
fn version_lists_what_is_supported_whatever_it_is_asked() {
    on(Cgroups::Unified, |node| {
        for stdin in ["", r#"{"cniVersion":"0.4.0"}"#, r#"{"cniVersion":"9.0.0"}"#] {
            let run = node.plugin("VERSION").stdin(stdin).run();
            assert!(run.success);
            let printed: Value = serde_json::from_str(&run.stdout).unwrap();
            assert_eq!(
                printed["supportedVersions"],
                json!(["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
            );
            let own = if stdin.contains("0.4.0") { "0.4.0" } else { "1.1.0" };
            assert_eq!(printed["cniVersion"], own);
        }
    });
}

#[test]
fn check_passes_on_what_the_agent_found() {
    on(Cgroups::Unified, |node| {
        let agent = Agent::start(node, did(Did::Checked));
        node.plugin("CHECK").injected().run().expect_silence();
        let asked = agent.stop();
        assert!(matches!(asked[0].request, Request::Check(_)));
        assert_eq!(asked[0].netns, Some(inode(node.netns().as_ref())));

        let _agent = Agent::start(node, refused(100, "The link of connect4 is missing; restart the pod"));
        let msg = node.plugin("CHECK").injected().run().expect_error(100);
        assert_eq!(msg, "The link of connect4 is missing; restart the pod");
    });
}

#[test]
fn check_of_a_pod_that_needs_no_interception_asks_nobody() {
    on(Cgroups::Unified, |node| {
        node.plugin("CHECK").annotations(json!({})).run().expect_silence();
    });
}

#[test]
fn check_without_an_agent_fails() {
    on(Cgroups::Unified, |node| {
        node.plugin("CHECK").injected().run().expect_error(11);
    });
}

#[rstest]
#[case("CHECK", "0.3.1")]
#[case("STATUS", "1.0.0")]
#[case("GC", "1.0.0")]
fn a_verb_of_a_later_version_is_refused(#[case] verb: &str, #[case] version: &str) {
    on(Cgroups::Unified, |node| {
        let msg = node.plugin(verb).key("cniVersion", version).run().expect_error(1);
        assert!(msg.contains("raise cniVersion"), "{msg}");
    });
}

#[test]
fn status_is_good_while_the_agent_is_ready() {
    on(Cgroups::Unified, |node| {
        let agent = Agent::start(node, did(Did::Ready));
        node.plugin("STATUS").run().expect_silence();
        assert_eq!(agent.stop()[0].request, Request::Status);
    });
}

#[test]
fn status_without_an_agent_depends_on_whether_annotations_are_handed_over() {
    on(Cgroups::Unified, |node| {
        node.plugin("STATUS").run().expect_error(50);
        let capabilities = json!({ "io.kubernetes.cri.pod-annotations": true, "cgroupPath": true });
        let run = node.plugin("STATUS").key("capabilities", capabilities.clone()).run();
        run.expect_silence();
        run.expect_line("ready", "Pods with a sidecar do not start now, others do");

        let _agent = Agent::start(node, refused(50, "The kernel lacks bpf_loop"));
        assert_eq!(node.plugin("STATUS").run().expect_error(50), "The kernel lacks bpf_loop");
        node.plugin("STATUS").key("capabilities", capabilities).run().expect_silence();
    });
}

#[test]
fn gc_tells_the_agent_what_lives() {
    on(Cgroups::Unified, |node| {
        let agent = Agent::start(node, did(Did::Collected));
        let valid = json!([{ "containerID": "0a", "ifname": "eth0" }, { "containerID": "0b", "ifname": "net1" }]);
        node.plugin("GC").key("cni.dev/valid-attachments", valid).run().expect_silence();
        let asked = agent.stop();
        let Request::Gc { valid } = &asked[0].request else { panic!("{asked:?}") };
        let names: Vec<_> = valid.iter().map(|id| (id.container_id.as_str(), id.ifname.as_str())).collect();
        assert_eq!(names, [("0a", "eth0"), ("0b", "net1")]);
    });
}

#[test]
fn gc_without_a_list_collects_nothing() {
    on(Cgroups::Unified, |node| {
        let agent = Agent::start(node, did(Did::Collected));
        node.plugin("GC").run().expect_error(7);
        assert!(agent.stop().is_empty());
    });
}

#[test]
fn gc_without_an_agent_succeeds() {
    on(Cgroups::Unified, |node| {
        let run = node.plugin("GC").key("cni.dev/valid-attachments", json!([])).run();
        run.expect_silence();
        run.expect_line("left", "the agent collects when it is back");
    });
}

#[test]
fn del_succeeds_every_time() {
    on(Cgroups::Unified, |node| {
        let agent = Agent::start(node, did(Did::Unenrolled));
        let run = node.plugin("DEL").injected().run();
        run.expect_silence();
        run.expect_line("unenrolled", "the agent says so");
        node.plugin("DEL").injected().run().expect_silence();
        // kubelet's later calls come without namespace and result.
        let again = node
            .plugin("DEL")
            .injected()
            .env("CNI_NETNS", "")
            .key("prevResult", json!(null));
        again.run().expect_silence();
        let asked = agent.stop();
        assert_eq!(asked.len(), 3);
        let netns = Some(inode(node.netns().as_ref()));
        assert_eq!(asked.iter().map(|asked| asked.netns).collect::<Vec<_>>(), [netns, netns, None]);
        assert!(asked.iter().all(|asked| asked.attachment().container_id.as_str() == SANDBOX));
    });
}

#[rstest]
#[case::refuses(Some(refused(100, "No")))]
#[case::hangs_up(Some(Reply::HangUp))]
#[case::says_nonsense(Some(Reply::Raw("hello")))]
#[case::is_silent(Some(Reply::Silence))]
#[case::is_not_there(None)]
fn del_succeeds_whatever_the_agent_does(#[case] reply: Option<Reply>) {
    on(Cgroups::Unified, |node| {
        let _agent = reply.map(|reply| Agent::start(node, reply));
        let run = node.plugin("DEL").injected().key("del_timeout_ms", 500).run();
        run.expect_silence();
        run.expect_line("left", "");
    });
}

#[rstest]
#[case("CNI_NETNS", "/nowhere")]
#[case("CNI_NETNS", "/proc/self/ns/net")]
#[case("CNI_CONTAINERID", "")]
#[case("CNI_ARGS", "nonsense")]
fn del_succeeds_whatever_the_environment_says(#[case] name: &str, #[case] value: &str) {
    on(Cgroups::Unified, |node| {
        let agent = Agent::start(node, did(Did::Unenrolled));
        node.plugin("DEL").injected().env(name, value).run().expect_silence();
        // The node's own namespace is never named for a pod's.
        assert!(agent.stop().iter().all(|asked| asked.netns.is_none()));
    });
}

#[test]
fn del_of_a_pod_that_passed_asks_nobody() {
    on(Cgroups::Unified, |node| {
        let agent = Agent::start(node, did(Did::Unenrolled));
        node.plugin("DEL").annotations(json!({})).run().expect_silence();
        assert!(agent.stop().is_empty());
    });
}
