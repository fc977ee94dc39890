// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Addresses, interfaces and routes of pods that run: their policies follow, and connections stay.

use std::time::{Duration, Instant};

use interceptor::Netns;
use interceptor_config::CompiledPolicy;
use interceptor_policy::{Address, AddressClass, Enrollment, Tables as _};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use testkit::{
    Run,
    scene::{Outcome, SERVER, Scene, Stack, outcome},
    wait_until,
};

use crate::{
    lab::{Agent, Lab, get},
    sandbox::Sandbox,
    sandboxes::namespaces_that_are_open,
};

/// An address that the pod gets later.
const LATER: &str = "10.99.0.77";

fn enrolled(lab: &Lab, scene: &Scene<'_>) -> (Sandbox, Agent) {
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    lab.api.put(sandbox.injected());
    let agent = lab.start_synced();
    lab.expect_enrolled(&sandbox);
    (sandbox, agent)
}

fn policy(lab: &Lab, sandbox: &Sandbox) -> CompiledPolicy {
    let netns = Netns::open(&sandbox.netns).expect("the namespace");
    lab.library().policy(&netns).expect("the policy")
}

/// Whether an address counts as the pod's own.
fn is_own(lab: &Lab, sandbox: &Sandbox, address: &str) -> bool {
    let address: std::net::IpAddr = address.parse().expect("an address");
    policy(lab, sandbox).address(Address::from(address)).has(AddressClass::LOCAL)
}

fn generation(lab: &Lab, sandbox: &Sandbox) -> u32 {
    let enrollment = lab.library().enrollment(Lab::cookie(sandbox)).expect("the enrollment");
    let Enrollment { policy, .. } = enrollment.expect("the pod is enrolled");
    policy.generation
}

/// How many looks at pods led to this.
fn looks(agent: &Agent, outcome: &str) -> u64 {
    let (_, text) = get(agent.metrics, "/metrics");
    let name = format!("interceptor_refresh_total{{outcome=\"{outcome}\"}} ");
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix(&name))
        .and_then(|count| count.parse().ok());
    count.unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[test]
fn an_address_that_comes_or_goes_is_the_pods_own_or_not_and_connections_stay_open() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    let (sandbox, agent) = enrolled(&lab, &scene);
    let mut connection = scene.pod.app().hold(SERVER, &[]);
    connection.expect_echo("before");
    let before = lab.records();

    let later = format!("{LATER}:8080");
    scene.pod.namespace().ip(&format!("addr add {LATER}/24 dev eth0"));
    wait_until("the address is the pod's own", || {
        outcome(&scene.pod.app(), &later) == Outcome::Direct
    });
    connection.expect_echo("with another address");
    scene.pod.namespace().ip(&format!("addr del {LATER}/24 dev eth0"));
    wait_until("the address is another's", || !is_own(&lab, &sandbox, LATER));
    connection.expect_echo("without it");
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
    assert_eq!(scene.inbound(), Outcome::ThroughSidecar);
    wait_until("both were counted", || looks(&agent, "switched") == 2);
    assert_eq!(
        lab.records().first().map(|record| &record.settings),
        before.first().map(|record| &record.settings)
    );
}

#[test]
fn a_route_that_goes_or_comes_decides_over_connections() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    scene.outside.ip("addr add 10.97.0.1/32 dev lo");
    let (_sandbox, _agent) = enrolled(&lab, &scene);
    let mut connection = scene.pod.app().hold(SERVER, &[]);
    connection.expect_echo("before");
    let look = || outcome(&scene.pod.app(), "10.97.0.1:8081");
    assert_eq!(look(), Outcome::ThroughSidecar);
    scene.pod.namespace().ip("route del default");
    wait_until("there is no route", || {
        look() == Outcome::Failed("connect:ENETUNREACH".to_owned())
    });
    connection.expect_echo("without a default route");
    scene.pod.namespace().ip("route add default via 10.99.0.1");
    wait_until("there is a route again", || look() == Outcome::ThroughSidecar);
    connection.expect_echo("with one");
}

#[test]
fn an_interface_that_comes_later_is_guarded() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let (_sandbox, _agent) = enrolled(&lab, &scene);
    let guarded = || lab.library().status().expect("the status").first().and_then(|pod| pod.guarded);
    if guarded().is_none() {
        return; // this kernel cannot guard, and the agent has said so
    }
    assert_eq!(guarded(), Some(1));
    let pod = scene.pod.namespace();
    pod.connect("eth1", &["10.98.0.2/24"], &scene.outside, &["10.98.0.1/24"]);
    wait_until("both interfaces are guarded", || guarded() == Some(2));
    pod.ip("link del eth1");
    wait_until("one is left", || guarded() == Some(1));
}

#[test]
fn what_the_kernel_takes_away_when_an_interface_goes_down_is_put_back() {
    let lab = Lab::new();
    let scene = Scene::with_stack(&lab.node, "pod", Stack::Dual);
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    let mut pod = sandbox.injected();
    pod["spec"]["containers"][1]["env"] = json!([
        {"name": "ISTIO_META_DNS_CAPTURE", "value": "true"}, {"name": "ISTIO_DUAL_STACK", "value": "true"},
    ]);
    pod["metadata"]["annotations"]["sidecar.istio.io/interceptionMode"] = json!("TPROXY");
    lab.api.put(pod);
    let agent = lab.start_synced();
    lab.expect_enrolled(&sandbox);
    let routes = || {
        let namespace = scene.pod.namespace().name();
        let list = |family| {
            let run = Run::of_line(&["ip", "-n", namespace, family, "route", "show", "table", "all"]);
            run.expect_success();
            run.stdout
        };
        let all = [list("-4"), list("-6")].concat();
        [
            "local 127.0.0.1 dev eth0 table local",
            "local ::1 dev eth0 table local",
            "local ::6 dev lo table local",
            "local fd69:6e74:6572:6365::/64 dev lo table local",
            "local default dev lo table 133",
        ]
        .map(|route| all.matches(route).count())
    };
    let all = [1, 1, 1, 1, 2];
    assert_eq!(routes(), all);
    // With an address of its own again, as a CNI plugin or the kernel would give it.
    let down_and_up = "link set eth0 down
        link set eth0 up
        addr replace fd99::2/64 dev eth0 nodad
        route replace default via 10.99.0.1
        route replace default via fd99::1";
    scene.pod.namespace().ip(down_and_up);
    wait_until("the routes of the interface are back", || routes() == all);
    scene.pod.namespace().ip("link set lo down\nlink set lo up");
    wait_until("the routes of the loopback interface are back", || routes() == all);
    wait_until("it was counted", || looks(&agent, "switched") + looks(&agent, "mended") > 0);
}

#[test]
fn a_pod_that_has_lost_its_last_address_keeps_its_policy_until_it_has_one_again() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    let (sandbox, agent) = enrolled(&lab, &scene);
    let before = generation(&lab, &sandbox);
    scene.pod.namespace().ip("addr flush dev eth0");
    wait_until("the agent has looked", || looks(&agent, "failed") > 0);
    assert_eq!(generation(&lab, &sandbox), before);
    scene.pod.namespace().ip(&format!(
        "addr add {LATER}/24 dev eth0
        addr add 10.99.0.2/24 dev eth0
        addr add 10.99.0.3/24 dev eth0
        route replace default via 10.99.0.1"
    ));
    wait_until("the policy has followed", || is_own(&lab, &sandbox, LATER));
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
}

#[test]
fn an_interface_that_flaps_switches_its_pod_once_a_second_at_most() {
    const CHANGES: u64 = 400;
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let (sandbox, agent) = enrolled(&lab, &scene);
    let (before, start) = (generation(&lab, &sandbox), Instant::now());
    let mut changes = 0;
    // Long enough for several switches.
    while changes < CHANGES || start.elapsed() < Duration::from_secs(4) {
        let verb = if changes % 2 == 0 { "add" } else { "del" };
        scene.pod.namespace().ip(&format!("addr {verb} {LATER}/24 dev eth0"));
        changes += 1;
    }
    scene.pod.namespace().ip(&format!("addr replace {LATER}/24 dev eth0"));
    wait_until("the policy has followed the last change", || is_own(&lab, &sandbox, LATER));
    let (switches, seconds) = (u64::from(generation(&lab, &sandbox) - before), start.elapsed().as_secs());
    assert!(
        switches <= seconds + 2 && switches < changes,
        "{switches} switches in {seconds} s by {changes} changes"
    );
    assert!(looks(&agent, "switched") <= switches, "{switches}");
    assert_eq!(looks(&agent, "failed"), 0);
}

#[test]
fn changes_that_were_lost_are_found_by_looking_at_all_pods() {
    let lab = Lab::new();
    let scenes = ["one", "two"].map(|name| Scene::new(&lab.node, name));
    let sandboxes = [0, 1].map(|number| Sandbox::of(&scenes[number].pod, &format!("web-{number}")));
    let agent = lab.start();
    for sandbox in &sandboxes {
        lab.api.put(sandbox.injected());
        lab.expect_enrolled(sandbox);
    }
    let agent_process = Pid::from_raw(agent.pid().cast_signed());
    kill(agent_process, Signal::SIGSTOP).expect("stop the agent");
    // More than the queue holds.
    let flood: String = (0..8000)
        .map(|_| "addr add 10.1.0.1/32 dev eth0\naddr del 10.1.0.1/32 dev eth0\n")
        .collect();
    scenes[0].pod.namespace().ip(&flood);
    scenes[1].pod.namespace().ip(&format!("addr add {LATER}/24 dev eth0"));
    assert!(!is_own(&lab, &sandboxes[1], LATER));
    kill(agent_process, Signal::SIGCONT).expect("let the agent go on");
    wait_until("the policy has followed", || is_own(&lab, &sandboxes[1], LATER));
}

#[test]
fn what_changed_while_the_agent_was_away_is_found_at_its_start() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let (sandbox, agent) = enrolled(&lab, &scene);
    agent.kill();
    scene.pod.namespace().ip(&format!("addr add {LATER}/24 dev eth0"));
    assert!(!is_own(&lab, &sandbox, LATER));
    let _agent = lab.start();
    wait_until("the policy has followed", || is_own(&lab, &sandbox, LATER));
    scene.pod.namespace().ip(&format!("addr del {LATER}/24 dev eth0"));
    wait_until("it is heard of the pod as of one that it enrolled", || {
        !is_own(&lab, &sandbox, LATER)
    });
}

#[test]
fn a_command_does_the_same_while_the_agent_is_away() {
    let lab = Lab::new();
    let scenes = ["one", "two"].map(|name| Scene::new(&lab.node, name));
    let (first, agent) = enrolled(&lab, &scenes[0]);
    let second = Sandbox::of(&scenes[1].pod, "web-1");
    lab.api.put(second.injected());
    lab.expect_enrolled(&second);
    agent.kill();
    let run_dir = lab.run_dir().display().to_string();
    let refresh = |which: &[&str]| lab.node.run(&[&["refresh", "--run-dir", &run_dir], which].concat());
    scenes[0].pod.namespace().ip(&format!("addr add {LATER}/24 dev eth0"));
    let run = refresh(&["--all"]);
    run.expect_success();
    assert!(run.stdout.contains("shop/web-0: its network has changed"), "{run}");
    assert!(run.stdout.contains("shop/web-1: nothing has changed"), "{run}");
    assert!(is_own(&lab, &first, LATER));
    let run = refresh(&["--pod", "shop/web-0"]);
    assert_eq!(run.stdout, "shop/web-0: nothing has changed", "{run}");

    // It neither enrolls, nor takes back what somebody did by hand.
    scenes[1].pod.enroll(&["-o", "80"]);
    let run = refresh(&["--pod", "shop/web-1"]);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stderr.contains("other settings"), "{run}");
    let run = refresh(&["--pod", "shop/web-2"]);
    assert!(run.stderr.contains("The pod shop/web-2 is not enrolled"), "{run}");

    // For the agent, it was no other hand.
    let agent = lab.start();
    scenes[0].pod.namespace().ip(&format!("addr del {LATER}/24 dev eth0"));
    wait_until("the policy follows", || !is_own(&lab, &first, LATER));
    assert_eq!(looks(&agent, "failed"), 0);
}

#[test]
fn a_pod_that_somebody_switched_by_hand_keeps_the_settings_that_he_gave() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    let (sandbox, agent) = enrolled(&lab, &scene);
    scene.pod.enroll(&["-o", "80"]);
    assert_eq!(scene.outbound(), Outcome::Direct);
    let by_hand = generation(&lab, &sandbox);
    let looked = looks(&agent, "unchanged");
    scene.pod.namespace().ip(&format!("addr add {LATER}/24 dev eth0"));
    wait_until("the agent has looked", || looks(&agent, "unchanged") > looked);
    assert_eq!((generation(&lab, &sandbox), scene.outbound()), (by_hand, Outcome::Direct));

    // The same settings again are the agent's.
    lab.expect_enrolled(&sandbox);
    scene.pod.namespace().ip(&format!("addr del {LATER}/24 dev eth0"));
    wait_until("the policy follows again", || !is_own(&lab, &sandbox, LATER));
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
}

#[test]
fn after_a_look_nothing_of_the_pod_is_held_open() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let (sandbox, agent) = enrolled(&lab, &scene);
    scene.pod.namespace().ip(&format!("addr add {LATER}/24 dev eth0"));
    wait_until("the policy has followed", || is_own(&lab, &sandbox, LATER));
    wait_until("no network namespace is open", || namespaces_that_are_open(agent.pid()) == 0);
}
