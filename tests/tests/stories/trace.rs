// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor trace` shows what is decided, to whoever asks, and costs nobody else anything.

use std::{collections::BTreeMap, fs};

use nix::sys::signal::Signal;
use serde_json::Value;
use testkit::{
    Node, Pod, Process,
    scene::{Outcome, Scene},
    trace::{events, follow},
    wait_until,
};

fn netns(pod: &Pod<'_>) -> String {
    pod.namespace().path().display().to_string()
}

/// Direction, port of the destination, verdict and reason of each event, in order.
fn verdicts(events: &[Value]) -> Vec<String> {
    let shown = |event: &Value| {
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        format!(
            "{} {} {} {}",
            text("direction"),
            event["to"]["port"],
            text("verdict"),
            text("reason")
        )
    };
    events.iter().map(shown).collect()
}

#[test]
fn verdicts_are_shown_with_their_reasons_in_the_order_in_which_they_fall() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let resolv_conf = node.work().join("resolv.conf");
    fs::write(&resolv_conf, "nameserver 10.96.0.10\n").expect("list the server");
    let resolv_conf = resolv_conf.display().to_string();
    let _servers = scene.serve(8081);
    scene
        .pod
        .enroll(&["--redirect-dns", "--resolv-conf", &resolv_conf, "-o", "8081"]);
    let _sidecar = scene.sidecar(&[]);
    let _agent = scene
        .pod
        .proxy()
        .serve("agent", &["--udp", "127.0.0.1:15053", "127.0.0.1:15053"]);

    let trace = follow(&node, &["--netns", &netns(&scene.pod), "-o", "json"]);
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
    scene.pod.app().connect("10.99.0.1:8081", &[]);
    scene.pod.app().ask(&["10.96.0.10:53"], &[]);
    assert_eq!(scene.inbound(), Outcome::ThroughSidecar);
    let events = events(trace);

    let first = &events[0];
    assert_eq!(first["to"]["address"], "10.99.0.1", "{first}");
    assert_eq!(first["process"]["command"], "interceptor-pro", "{first}");
    assert!(first["process"]["pid"].as_u64().is_some_and(|pid| pid > 1), "{first}");
    assert_eq!(first["pod"], netns(&scene.pod), "{first}");
    let inbound = events
        .iter()
        .find(|event| event["direction"] == "in" && event["to"]["port"] == 8080);
    let inbound = inbound.expect("the inbound connection");
    assert_eq!(inbound["from"]["address"], "10.99.0.1", "{inbound}");
    assert!(inbound["process"].is_null(), "{inbound}");
    let shown = verdicts(&events);
    let expected = [
        "out 80 redirect-outbound outbound_cidr_included",
        "out 80 pass proxy_owner",
        "out 8081 pass outbound_port_excluded",
        "out 53 redirect-dns dns_captured",
        "in 8080 redirect-inbound inbound_port_included",
    ];
    let of_interest: Vec<&String> = shown.iter().filter(|line| expected.contains(&line.as_str())).collect();
    assert_eq!(of_interest, expected, "{shown:#?}");
}

#[test]
fn a_connection_that_is_refused_is_shown() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.enroll(&[]);
    let mut trace = follow(&node, &[]);
    assert_eq!(scene.outbound(), Outcome::refused());
    let [first, second] = [trace.line(), trace.line()];
    assert!(
        first.ends_with(" > 10.99.0.1:80 redirect-outbound outbound_cidr_included"),
        "{first}"
    );
    assert!(second.ends_with(" refused no_listener"), "{second}");
    assert!(trace.stop().status.success());
}

#[test]
fn filters_leave_out_the_rest() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&["-o", "8081"]);
    let _sidecar = scene.sidecar(&[]);
    let filters: [(&[&str], &[&str]); 4] = [
        (&["--port", "8081"], &["out 8081 pass outbound_port_excluded"]),
        (
            &["--reason", "proxy_owner,no_slot", "--to", SERVER_ADDRESS],
            &["out 80 pass proxy_owner"],
        ),
        (&["--from", "10.99.0.1"], &["in 8080 redirect-inbound inbound_port_included"]),
        (&["--to", "192.0.2.0/24"], &[]),
    ];
    let traces: Vec<Process> = filters
        .iter()
        .map(|(flags, _)| follow(&node, &[*flags, &["-o", "json"]].concat()))
        .collect();
    scene.outbound();
    scene.pod.app().connect("10.99.0.1:8081", &[]);
    scene.inbound();
    for (trace, (flags, expected)) in traces.into_iter().zip(filters) {
        assert_eq!(verdicts(&events(trace)), expected, "{flags:?}");
    }
}

const SERVER_ADDRESS: &str = "10.99.0.1";

#[test]
fn verdicts_are_counted_instead_of_printed() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.enroll(&[]);
    let trace = follow(&node, &["--count", "-o", "json"]);
    for _ in 0..3 {
        assert_eq!(scene.outbound(), Outcome::refused());
    }
    let lines = trace.stop().lines;
    let rows: Vec<Value> = serde_json::from_str(&lines.join("\n")).expect("a list");
    let counts: BTreeMap<&str, u64> = rows
        .iter()
        .map(|row| {
            (
                row["reason"].as_str().unwrap_or_default(),
                row["count"].as_u64().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(counts, BTreeMap::from([("no_listener", 3), ("outbound_cidr_included", 3)]));
}

#[test]
fn a_trace_ends_when_its_time_is_over() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.enroll(&[]);
    let run = node.run(&["trace", "--for", "1s"]);
    run.expect_success();
    assert_eq!(run.stdout, "");
}

/// A pod that floods fills the ring buffers of those who follow it, and no others.
#[test]
fn what_a_reader_misses_is_counted_and_another_reader_misses_nothing() {
    let node = Node::new();
    let (flooding, calm) = (Scene::new(&node, "flooding"), Scene::new(&node, "calm"));
    flooding.pod.enroll(&[]);
    calm.pod.enroll(&[]);
    let small = ["--buffer", "64", "--lifetime", "3600", "-o", "json"];
    let stopped = follow(&node, &[&["--netns", &netns(&flooding.pod)], &small[..]].concat());
    let other = follow(&node, &[&["--netns", &netns(&calm.pod)], &small[..]].concat());

    stopped.signal(Signal::SIGSTOP);
    flooding.pod.app().flood(2000, "192.0.2.1:1");
    assert_eq!(calm.outbound(), Outcome::refused());
    stopped.signal(Signal::SIGCONT);

    let all = events(stopped);
    let lost: u64 = all.iter().filter_map(|event| event["lost"].as_u64()).sum();
    let shown = all.iter().filter(|event| event["reason"] == "outbound_cidr_included").count() as u64;
    let not_shown =
        flooding_verdicts(&node, &flooding) - all.iter().filter(|event| event["reason"].is_string()).count() as u64;
    assert!(lost > 0 && shown > 0, "{lost} lost, {shown} shown");
    assert_eq!(lost, not_shown);
    assert_eq!(
        verdicts(&events(other)),
        ["out 80 redirect-outbound outbound_cidr_included", "in 15001 refused no_listener"]
    );
}

/// How many verdicts there were in the pod.
fn flooding_verdicts(node: &Node, scene: &Scene<'_>) -> u64 {
    let pods: Vec<Value> = node.run(&["status", "--output", "json"]).json();
    let pod = pods.iter().find(|pod| pod["netns"] == netns(&scene.pod)).expect("the pod");
    let counters = pod["counters"].as_object().expect("counters");
    counters.values().filter_map(Value::as_u64).sum()
}

#[test]
fn one_more_than_there_is_room_for_is_refused() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.enroll(&[]);
    let traces: Vec<Process> = (0..8).map(|_| follow(&node, &["--lifetime", "3600"])).collect();
    let ninth = node.run(&["trace", "--for", "1s"]);
    assert_eq!(ninth.code, Some(1), "{ninth}");
    assert!(ninth.stderr.contains("8 traces run on this node already"), "{ninth}");
    for trace in traces {
        assert!(trace.stop().status.success());
    }
    follow(&node, &[]).stop();
}

#[test]
fn killed_traces_end_by_themselves() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.enroll(&[]);
    let traces: Vec<Process> = (0..8).map(|_| follow(&node, &["--lifetime", "5"])).collect();
    traces.into_iter().for_each(Process::kill);
    wait_until("the kernel ends a killed trace", || {
        node.run(&["trace", "--for", "1s"]).code == Some(0)
    });
    // Others go on as if there had been none.
    assert_eq!(scene.outbound(), Outcome::refused());
}

#[test]
fn a_trace_ends_with_its_pod() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.enroll(&[]);
    let trace = follow(&node, &["--netns", &netns(&scene.pod), "--lifetime", "1"]);
    scene.pod.clean();
    let finished = trace.finish();
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(
        finished.lines.last().map(String::as_str),
        Some("interceptor: note: the pod is not enrolled any more")
    );
    assert!(!node.bpffs().join("interceptor").exists(), "{:?}", node.pins());
}

#[test]
fn nobody_is_traced_where_nobody_is_enrolled() {
    let node = Node::new();
    let run = node.run(&["trace"]);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stderr.contains("No pod of this node is enrolled"), "{run}");
}
