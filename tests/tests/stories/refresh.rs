// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod's network is read again by the library: what changed is followed, what was lost is put back, and nothing is
//! written otherwise.

use std::time::Duration;

use interceptor::{Change, EnrollError, Enrolled, Netns, Pod, Wanted};
use interceptor_config::{Flags, IstioConfig, ResolvConf, Setting, Sources};
use rstest::rstest;
use testkit::{
    Namespace, Node, Run,
    scene::{Outcome, SERVER, Scene, Stack, outcome},
};

const WAIT: Duration = Duration::from_mins(1);
const LATER: &str = "10.99.0.77";

/// Istio's defaults for a pod, and these.
fn wanted(more: &[(Setting, &str)]) -> Wanted {
    let defaults = [
        (Setting::ServiceCidr, "*"),
        (Setting::InboundPorts, "*"),
        (Setting::LocalExcludePorts, "15020,15021,15090"),
        (Setting::ProxyUid, "1337"),
    ];
    let flags = defaults
        .iter()
        .chain(more)
        .fold(Flags::default(), |flags, (setting, text)| flags.with(*setting, *text));
    let no_file = ResolvConf {
        path: "resolv.conf".as_ref(),
        read: &|_path| Err(std::io::ErrorKind::NotFound.into()),
    };
    let sources = Sources { flags: &flags, environment: &|_name| None, annotations: None };
    let (config, _warnings) =
        IstioConfig::resolve(sources, &interceptor::SystemAccounts, no_file).expect("a configuration");
    config.supported().expect("a configuration that can be put in force")
}

struct Enrollment<'node> {
    scene: Scene<'node>,
    door: interceptor::Node,
    netns: Netns,
    wanted: Wanted,
}

impl<'node> Enrollment<'node> {
    fn new(node: &'node Node, stack: Stack, more: &[(Setting, &str)]) -> Self {
        let scene = Scene::with_stack(node, "pod", stack);
        without_link_local_addresses(scene.pod.namespace());
        let door = interceptor::Node::open(&node.bpffs()).expect("the bpffs");
        let wanted = wanted(more);
        let (netns, cgroup) = (scene.pod.namespace().path(), scene.pod.namespace().cgroup());
        let pod = Pod::open(&netns, cgroup).expect("the pod");
        door.enroll(&pod, &wanted, WAIT).expect("enroll");
        let netns = Netns::open(&netns).expect("the namespace");
        Self { scene, door, netns, wanted }
    }

    fn refresh(&self) -> Change {
        let Enrolled { plan, .. } = self.door.refresh(&self.netns, &self.wanted, WAIT).expect("refresh");
        plan.change
    }

    fn generation(&self) -> u32 {
        let entry = self.door.enrollment(self.netns.cookie()).expect("the entry");
        entry.expect("the pod is enrolled").policy.generation
    }
}

/// The kernel finds out whether a neighbor has them, which changes routes at some moment.
fn without_link_local_addresses(namespace: &Namespace) {
    namespace.ip("addr flush dev eth0 scope link");
}

#[test]
fn the_policy_follows_and_connections_stay() {
    let node = Node::new();
    let pod = Enrollment::new(&node, Stack::V4, &[]);
    let _servers = pod.scene.serve(8081);
    let _sidecar = pod.scene.sidecar(&[]);
    let mut connection = pod.scene.pod.app().hold(SERVER, &[]);
    let look = || outcome(&pod.scene.pod.app(), &format!("{LATER}:8080"));
    pod.scene.pod.namespace().ip(&format!("addr add {LATER}/24 dev eth0"));
    assert_eq!(look(), Outcome::ThroughSidecar);
    let planned = pod.door.plan_refresh(&pod.netns, &pod.wanted).expect("a plan");
    assert_eq!(planned.plan.change, Change::Switch);
    assert_eq!(look(), Outcome::ThroughSidecar, "a plan changes nothing");
    assert_eq!(pod.refresh(), Change::Switch);
    assert_eq!(look(), Outcome::Direct);
    connection.expect_echo("it stays");
    assert_eq!(pod.refresh(), Change::Nothing);
}

#[rstest]
#[case::by_default(Stack::V4, &[])]
#[case::with_all_that_a_pods_network_is_prepared_for(Stack::Dual, &[
    (Setting::DualStack, "true"),
    (Setting::RedirectDns, "true"),
    (Setting::CaptureAllDns, "true"),
    (Setting::InterceptionMode, "TPROXY"),
])]
#[case::ipv6_with_an_excluded_interface(Stack::V6, &[(Setting::ExcludeInterfaces, "eth1")])]
#[case::a_forced_run(Stack::V4, &[(Setting::ForceApply, "true")])]
fn nothing_is_written_if_nothing_changed(#[case] stack: Stack, #[case] more: &[(Setting, &str)]) {
    let node = Node::new();
    let pod = Enrollment::new(&node, stack, more);
    let (generation, pins) = (pod.generation(), node.pins());
    for _ in 0..2 {
        assert_eq!(pod.refresh(), Change::Nothing);
    }
    assert_eq!((pod.generation(), node.pins()), (generation, pins));
}

#[test]
fn a_pod_that_is_not_enrolled_is_not_enrolled_by_it() {
    let node = Node::new();
    let pod = Enrollment::new(&node, Stack::V4, &[]);
    pod.door.unenroll(&pod.netns, WAIT).expect("unenroll");
    let error = pod
        .door
        .refresh(&pod.netns, &pod.wanted, WAIT)
        .expect_err("the pod is not enrolled");
    assert!(matches!(error, EnrollError::NotEnrolled { .. }), "{error}");
    assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());
}

#[test]
fn what_a_pods_network_has_lost_is_put_back_by_enrolling_again_too() {
    let node = Node::new();
    let flags = &["--redirect-dns", "--capture-all-dns", "--dual-stack"];
    let scene = Scene::with_stack(&node, "pod", Stack::Dual);
    let namespace = scene.pod.namespace();
    without_link_local_addresses(namespace);
    scene.pod.enroll(flags);
    let routes = || {
        let run = Run::of_line(&["ip", "-n", namespace.name(), "-6", "route", "show", "table", "local"]);
        run.expect_success();
        run.stdout.matches("local fd69:6e74:6572:6365::/64 dev lo").count()
    };
    namespace.ip("route del local fd69:6e74:6572:6365::/64 dev lo table local");
    assert_eq!(routes(), 0);
    let planned = scene
        .pod
        .try_enroll(&[testkit::istio_rules::DEFAULT_FLAGS, flags, &["--dry-run"]].concat());
    planned.expect_success();
    assert!(planned.output().contains("put back what its network has lost"), "{planned}");
    assert_eq!(routes(), 0);
    scene.pod.enroll(flags);
    assert_eq!(routes(), 1);
    let again = scene.pod.try_enroll(&[testkit::istio_rules::DEFAULT_FLAGS, flags].concat());
    assert!(again.output().contains("nothing to do"), "{again}");
}
