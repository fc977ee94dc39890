// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What becomes of one pod: enrolled, skipped, refused; and unenrolled.

use interceptor_wire::{Answer, Did};
use rstest::rstest;
use serde_json::json;
use testkit::{
    Run,
    istio_rules::{DEFAULT_RULES, default_rules_v6},
    scene::{Outcome, Scene, Stack},
    wait_until,
};

use crate::{
    lab::{Lab, refusal},
    sandbox::Sandbox,
};

#[test]
fn an_injected_pod_is_enrolled_with_the_defaults_of_istios_plugin() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    lab.api.put(sandbox.injected());
    let _agent = lab.start();
    assert_eq!(scene.outbound(), Outcome::Direct);
    lab.expect_enrolled(&sandbox);
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
    assert_eq!(scene.inbound(), Outcome::ThroughSidecar);

    let [record] = <[_; 1]>::try_from(lab.records()).expect("one record");
    assert_eq!(
        (record.pod.to_string(), &record.uid, record.netns_cookie),
        ("shop/web-0".to_owned(), &Some(sandbox.uid.clone()), Lab::cookie(&sandbox))
    );
    for (name, value) in [
        ("OUTBOUND_IP_RANGES_INCLUDE", "*"),
        ("INBOUND_PORTS_INCLUDE", "*"),
        ("INBOUND_PORTS_EXCLUDE", "15020,15021,15090"),
        ("OUTBOUND_PORTS_EXCLUDE", "15020"),
        ("PROXY_UID", "1337"),
        ("PROXY_GID", "1337"),
    ] {
        assert_eq!(
            record.settings.get(name).map(String::as_str),
            Some(value),
            "{name} in {record:?}"
        );
    }
}

#[test]
fn a_pod_whose_loopback_interface_comes_up_a_little_later_is_enrolled() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    let mut agent = lab.start_synced();
    pod.namespace().ip("link set lo down");
    let (code, msg, _) = refusal(sandbox.add(&lab.socket()).expect("an answer"));
    assert_eq!(code, 100, "{msg}");
    assert!(msg.contains("`lo` is down") && lab.records().is_empty(), "{msg}");
    agent.wait_for("waiting for the pod's `lo`");
    let up = std::thread::scope(|scope| {
        let adding = scope.spawn(|| {
            wait_until("the pod is enrolled", || {
                matches!(
                    sandbox.add(&lab.socket()).expect("an answer"),
                    Answer::Done { did: Did::Enrolled, .. }
                )
            });
        });
        agent.wait_for("waiting for the pod's `lo`");
        pod.namespace().ip("link set lo up");
        adding.join()
    });
    up.expect("it is enrolled");
    assert_eq!(lab.enrollments().len(), 1);
}

#[test]
fn a_pod_without_sidecar_is_skipped_and_the_answer_says_why() {
    let lab = Lab::new();
    let pod = lab.node.pod("pod");
    let sandbox = Sandbox::of(&pod, "plain");
    let mut plain = sandbox.injected();
    plain["metadata"]["annotations"] = json!({});
    lab.api.put(plain);
    let _agent = lab.start();
    let answer = sandbox.add(&lab.socket()).expect("an answer");
    let Answer::Done { did: Did::Skipped, why } = answer else {
        panic!("{answer:?}")
    };
    assert!(why.contains("sidecar.istio.io/status"), "{why}");
    assert!(lab.enrollments().is_empty() && lab.records().is_empty());
}

#[test]
fn a_pod_that_asks_for_what_is_not_valid_is_refused_and_not_enrolled() {
    let lab = Lab::new();
    let pod = lab.node.pod("pod");
    let sandbox = Sandbox::of(&pod, "bad");
    let mut bad = sandbox.injected();
    bad["metadata"]["annotations"]["traffic.sidecar.istio.io/includeOutboundPorts"] = "http".into();
    lab.api.put(bad);
    let _agent = lab.start();
    let (code, msg, retry) = refusal(sandbox.add(&lab.socket()).expect("an answer"));
    assert_eq!((code, retry), (101, false));
    assert!(
        msg.contains("traffic.sidecar.istio.io/includeOutboundPorts") && msg.contains("http"),
        "{msg}"
    );
    assert!(lab.enrollments().is_empty() && lab.records().is_empty());
}

#[rstest]
#[case::legacy("iptables-legacy-restore", DEFAULT_RULES, "iptables-legacy")]
#[case::legacy_v6("ip6tables-legacy-restore", &default_rules_v6(), "iptables-legacy")]
#[case::nft("iptables-nft-restore", DEFAULT_RULES, "nf_tables")]
fn a_pod_that_has_istios_own_rules_is_refused(#[case] restore: &str, #[case] rules: &str, #[case] filter: &str) {
    let lab = Lab::new();
    let pod = Scene::with_stack(&lab.node, "pod", Stack::Dual).pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    let _agent = lab.start_synced();
    let root = pod.namespace().root();
    // Rules that are not Istio's are nobody's business.
    Run::with_input(root.command(restore), "*nat\n-N OTHER\n-A OUTPUT -j OTHER\nCOMMIT\n").expect_success();
    lab.expect_enrolled(&sandbox);
    sandbox.del(&lab.socket()).expect("an answer");

    let mut command = root.command(restore);
    command.arg("--noflush");
    Run::with_input(command, rules).expect_success();
    let (code, msg, retry) = refusal(sandbox.add(&lab.socket()).expect("an answer"));
    assert_eq!((code, retry), (100, false), "{msg}");
    assert!(msg.contains(filter) && msg.contains("istio-cni"), "{msg}");
    assert!(lab.enrollments().is_empty() && lab.records().is_empty());
}

#[rstest]
#[case::before_any_add(false, false)]
#[case::before_any_add_without_namespace(false, true)]
#[case::after_add(true, false)]
#[case::after_add_without_namespace(true, true)]
fn del_succeeds_however_often_it_comes(#[case] enrolled: bool, #[case] without_namespace: bool) {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    let _agent = lab.start();
    let before = lab.node.pins();
    if enrolled {
        lab.expect_enrolled(&sandbox);
    }
    for _ in 0..3 {
        let deleted = if without_namespace {
            sandbox.del_without_namespace(&lab.socket())
        } else {
            sandbox.del(&lab.socket())
        };
        let answer = deleted.expect("an answer");
        assert!(matches!(answer, Answer::Done { did: Did::Unenrolled, .. }), "{answer:?}");
        assert!(lab.enrollments().is_empty() && lab.records().is_empty());
    }
    assert_eq!(lab.node.pins(), before);
}

#[test]
fn check_tells_whether_a_pod_is_enrolled_completely() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    let _agent = lab.start();
    let (code, msg, _) = refusal(sandbox.check(&lab.socket()).expect("an answer"));
    assert_eq!(code, 100, "{msg}");
    assert!(msg.contains("not enrolled"), "{msg}");

    lab.expect_enrolled(&sandbox);
    let answer = sandbox.check(&lab.socket()).expect("an answer");
    assert!(matches!(answer, Answer::Done { did: Did::Checked, .. }), "{answer:?}");

    let is_link =
        |path: &std::path::PathBuf| path.ends_with("on_connect4") && path.to_string_lossy().contains("cgroups");
    let link = lab.node.pins().into_iter().find(is_link);
    let link = link.unwrap_or_else(|| panic!("a link of the cgroup in {:#?}", lab.node.pins()));
    std::fs::remove_file(&link).expect("remove the link");
    let (code, msg, _) = refusal(sandbox.check(&lab.socket()).expect("an answer"));
    assert_eq!(code, 100, "{msg}");
    assert!(msg.contains("on_connect4"), "{msg}");
}
