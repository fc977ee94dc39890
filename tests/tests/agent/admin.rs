// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What people ask the running agent at its socket for them.

use std::{
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
};

use rstest::rstest;
use serde_json::Value;
use testkit::{scene::Scene, timeout};

use crate::{
    lab::{Agent, Lab},
    sandbox::Sandbox,
};

/// The status and the body of the answer to `METHOD PATH`.
fn ask(lab: &Lab, request: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(lab.run_dir().join("admin.sock")).expect("connect");
    stream.set_read_timeout(Some(timeout())).expect("set a time limit");
    write!(stream, "{request} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n").expect("send a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("read the answer");
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer of HTTP: {text}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no status: {head}")), body.to_owned())
}

fn json(lab: &Lab, request: &str) -> Value {
    let (status, body) = ask(lab, request);
    assert_eq!(status, 200, "{request}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn with_a_pod(lab: &Lab, scene: &Scene<'_>) -> Agent {
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    lab.api.put(sandbox.injected());
    let agent = lab.start();
    lab.expect_enrolled(&sandbox);
    agent
}

#[test]
fn status_and_explain_answer_as_the_commands_do() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let _agent = with_a_pod(&lab, &scene);
    let run_dir = lab.run_dir().display().to_string();
    let command = |arguments: &[&str]| -> Value {
        lab.node
            .run(&[arguments, &["--output", "json", "--run-dir", &run_dir]].concat())
            .json()
    };
    let status = json(&lab, "GET /status");
    assert_eq!(status[0]["pod"], "shop/web-0");
    assert_eq!(status, command(&["status"]));
    assert_eq!(json(&lab, "GET /status?pod=shop%2Fweb-0"), status);
    let explained = json(&lab, "GET /explain?pod=shop/web-0&dst=10.1.2.3:80&uid=1337");
    assert_eq!(explained["reason"], "proxy_owner");
    let of_command = command(&["explain", "--pod", "shop/web-0", "--uid", "1337", "10.1.2.3:80"]);
    assert_eq!(explained, of_command);
}

#[test]
fn the_level_of_the_log_is_shown_and_changed_and_the_configuration_is_shown() {
    let lab = Lab::new();
    let mut agent = lab.start();
    assert_eq!(json(&lab, "GET /log")["level"], "debug");
    assert_eq!(json(&lab, "PUT /log?level=info")["level"], "info");
    agent.wait_for("the level of the log was changed");
    assert_eq!(json(&lab, "GET /log")["level"], "info");

    let config = json(&lab, "GET /config");
    assert_eq!(config["node-name"], crate::api::NODE);
    assert_eq!(config["on-unsupported"], "fail", "also what nobody wrote");
    assert_eq!(config["run-dir"], lab.run_dir().display().to_string());
}

#[rstest]
#[case::no_pod("GET /explain?dst=10.1.2.3:80", 400, "`pod` is missing")]
#[case::no_destination("GET /explain?pod=a/b", 400, "`dst` is missing")]
#[case::flag_as_a_pod("GET /explain?pod=--all&dst=10.1.2.3:80", 400, "pod=--all")]
#[case::no_address("GET /explain?pod=a/b&dst=--help", 400, "dst=--help")]
#[case::no_number("GET /explain?pod=a/b&dst=10.1.2.3:80&uid=root", 400, "uid=root")]
#[case::twice("GET /status?pod=a/b&pod=a/c", 400, "`pod` is there twice")]
#[case::unknown("GET /status?namespace=a", 400, "`namespace` means nothing here; known are pod")]
#[case::no_value("GET /status?pod", 400, "`pod` is no NAME=VALUE")]
#[case::no_level("PUT /log?level=loud", 400, "level=loud is no level")]
#[case::other_pod(
    "GET /explain?pod=shop/web-9&dst=10.1.2.3:80",
    422,
    "The pod shop/web-9 is not enrolled"
)]
#[case::reading_does_not_change("POST /log?level=info", 405, "")]
fn what_cannot_be_answered_is_named(#[case] request: &str, #[case] status: u16, #[case] text: &str) {
    let lab = Lab::new();
    let _agent = lab.start();
    let (found, body) = ask(&lab, request);
    assert_eq!(found, status, "{body}");
    assert!(body.contains(text), "{body}");
}

#[test]
fn only_root_reaches_the_socket_and_a_killed_agents_socket_is_replaced() {
    let lab = Lab::new();
    lab.start().kill();
    let _agent = lab.start();
    let socket = std::fs::metadata(lab.run_dir().join("admin.sock")).expect("the socket");
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    assert_eq!(ask(&lab, "GET /log").0, 200);
}
