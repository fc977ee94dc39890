// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The socket among hostile neighbors.

use std::{
    fs::{self, File, Permissions},
    io::{IoSlice, Read as _},
    os::{
        fd::{AsRawFd, RawFd},
        unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink},
    },
};

use interceptor_wire::{Answer, Did, read_answer};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use rstest::rstest;
use serde_json::json;
use socket2::{Domain, SockAddr, Socket, Type};
use testkit::{Process, scene::Scene, timeout, wait_until};

use crate::{
    lab::{Agent, Lab, get},
    sandbox::Sandbox,
};

fn connect(lab: &Lab) -> Socket {
    let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None).expect("a socket");
    socket
        .connect(&SockAddr::unix(lab.socket()).expect("an address"))
        .expect("connect");
    socket.set_read_timeout(Some(timeout())).expect("set a time limit");
    socket
}

/// Sends bytes and descriptors, and returns the answer: nothing, if the connection is closed.
fn say(lab: &Lab, bytes: &[u8], files: &[RawFd]) -> Option<Answer> {
    let mut socket = connect(lab);
    let control = [ControlMessage::ScmRights(files)];
    let control: &[ControlMessage<'_>] = if files.is_empty() { &[] } else { &control };
    sendmsg::<()>(
        socket.as_raw_fd(),
        &[IoSlice::new(bytes)],
        control,
        MsgFlags::MSG_NOSIGNAL,
        None,
    )
    .expect("send");
    let mut answer = vec![0; 1 << 16];
    let length = socket.read(&mut answer).expect("an answer, or the end");
    (length > 0).then(|| read_answer(&answer[..length]).expect("a message"))
}

fn metric(agent: &Agent, line: &str) -> Option<u64> {
    let (status, text) = get(agent.metrics, "/metrics");
    assert_eq!(status, 200);
    text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
}

#[test]
fn the_socket_and_its_directory_are_for_root_alone() {
    let lab = Lab::new();
    fs::create_dir(lab.run_dir()).expect("made by somebody before, for all to read");
    fs::set_permissions(lab.run_dir(), Permissions::from_mode(0o755)).expect("set the mode");
    let _agent = lab.start();
    let mode = |path| fs::metadata(path).expect("it is there").permissions().mode() & 0o7777;
    assert_eq!(mode(lab.run_dir()), 0o700);
    assert_eq!(mode(lab.socket()), 0o600);
    assert_eq!(mode(lab.run_dir().join("pods")), 0o700);
    assert_eq!(mode(lab.run_dir().join("rules")), 0o700);
    assert!(fs::metadata(lab.socket()).expect("it is there").file_type().is_socket());
    let mut names: Vec<_> = fs::read_dir(lab.run_dir())
        .expect("list")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    names.sort();
    let expected = ["admin.sock", "cni.sock", "pods", "rules", "unprotected"];
    assert_eq!(names, expected, "no temporary name is left");
}

#[rstest]
#[case::a_symbolic_link(true, 0o700)]
#[case::writable_by_others(false, 0o777)]
fn a_run_directory_that_others_control_is_refused(#[case] link: bool, #[case] mode: u32) {
    let lab = Lab::new();
    let elsewhere = lab.node.work().join("elsewhere");
    fs::create_dir(&elsewhere).expect("a directory");
    fs::set_permissions(&elsewhere, Permissions::from_mode(mode)).expect("set the mode");
    let run_dir = if link { lab.run_dir() } else { elsewhere.clone() };
    if link {
        symlink(&elsewhere, &run_dir).expect("a link");
    }
    let mut command = lab
        .node
        .agent(&["--run-dir", &run_dir.display().to_string(), "--node-name", "node-a"]);
    let finished = Process::spawn("agent", &mut command).finish();
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(
        finished.lines.iter().any(|line| line.contains("cannot be trusted")),
        "{finished:?}"
    );
    assert_eq!(fs::read_dir(&elsewhere).expect("list").count(), 0);
}

#[test]
fn who_is_not_root_gets_no_answer_and_is_counted() {
    let lab = Lab::new();
    let outside = lab.node.outside("outside");
    let agent = lab.start();
    let socket = lab.socket().display().to_string();
    let message = json!({"v": 1, "verb": "status"}).to_string();
    let knocked = outside.launcher(1000, 1000).knock(&socket, &message);
    assert!(!knocked.connected, "the directory keeps others out: {knocked:?}");

    // Even if somebody opened the doors.
    fs::set_permissions(lab.run_dir(), Permissions::from_mode(0o777)).expect("set the mode");
    fs::set_permissions(lab.socket(), Permissions::from_mode(0o777)).expect("set the mode");
    let knocked = outside.launcher(1000, 1000).knock(&socket, &message);
    assert!(knocked.connected && knocked.answer.is_empty(), "{knocked:?}");
    wait_until("it is counted", || {
        metric(&agent, "interceptor_refused_connections_total{reason=\"foreign\"}") == Some(1)
    });
    let knocked = outside.root().knock(&socket, &message);
    assert!(knocked.answer.contains("\"ok\":true"), "{knocked:?}");
}

#[rstest]
#[case::no_json(b"hello", "cannot be read")]
#[case::another_version(br#"{"v":99,"verb":"status"}"#, "version 99")]
#[case::an_unknown_verb(br#"{"v":1,"verb":"obey"}"#, "cannot be read")]
#[case::a_path_for_an_id(br#"{"v":1,"verb":"del","container_id":"../../x","ifname":"eth0"}"#, "../../x")]
#[case::descriptors_that_did_not_come(br#"{"v":1,"verb":"status","descriptors":["netns"]}"#, "descriptors")]
fn a_message_that_cannot_be_understood_is_refused(#[case] message: &[u8], #[case] says: &str) {
    let lab = Lab::new();
    let mut agent = lab.start();
    let Some(Answer::Refused { code: 6, msg, retry: false }) = say(&lab, message, &[]) else {
        panic!("not refused");
    };
    assert!(msg.contains(says), "{msg}");
    assert!(agent.lives());
    assert_eq!(
        metric(&agent, "interceptor_refused_connections_total{reason=\"malformed\"}"),
        Some(1)
    );
}

#[test]
fn a_message_that_is_too_long_is_refused() {
    let lab = Lab::new();
    let mut agent = lab.start();
    let Some(Answer::Refused { code: 6, msg, .. }) = say(&lab, &vec![b' '; 100_000], &[]) else {
        panic!("not refused");
    };
    assert!(msg.contains("longer"), "{msg}");
    assert!(agent.lives());
}

/// What the plugin would send for a pod, with other descriptors.
#[rstest]
#[case::of_a_file("file", 8)]
#[case::none("none", 8)]
#[case::the_hosts_own("host", 8)]
#[case::no_cgroup("no cgroup", 100)]
fn descriptors_that_are_something_else_are_refused(#[case] what: &str, #[case] expected: u32) {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    let mut agent = lab.start_synced();
    let file = File::open("/etc/hostname").expect("a file");
    let host = File::open("/proc/self/ns/net").expect("the host's namespace");
    let [netns, cgroup] = [&sandbox.netns, &sandbox.cgroup].map(|path| File::open(path).expect("open"));
    let (names, files): (&[&str], Vec<&File>) = match what {
        "file" => (&["netns", "cgroup"], vec![&file, &file]),
        "host" => (&["netns", "cgroup"], vec![&host, &cgroup]),
        "no cgroup" => (&["netns"], vec![&netns]),
        _ => (&[], vec![]),
    };
    let mut message = serde_json::to_value(sandbox.attachment()).expect("JSON");
    message["v"] = 1.into();
    message["verb"] = "add".into();
    message["descriptors"] = json!(names);
    let files: Vec<RawFd> = files.into_iter().map(AsRawFd::as_raw_fd).collect();
    let answer = say(&lab, message.to_string().as_bytes(), &files);
    let Some(Answer::Refused { code, msg, .. }) = answer else {
        panic!("not refused: {answer:?}")
    };
    assert_eq!(code, expected, "{msg}");
    assert!(lab.enrollments().is_empty() && lab.records().is_empty());
    assert!(agent.lives());
    lab.expect_enrolled(&sandbox);
}

#[test]
fn peers_that_are_silent_keep_nobody_from_being_served() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    let agent = lab.start_synced();
    let mut silent: Vec<Socket> = (0..300).map(|_| connect(&lab)).collect();
    lab.expect_enrolled(&sandbox);
    for socket in &mut silent {
        // Their time is over without an answer.
        assert_eq!(socket.read(&mut [0; 16]).expect("the end"), 0);
    }
    assert_eq!(
        metric(&agent, "interceptor_refused_connections_total{reason=\"silent\"}"),
        Some(300)
    );
    let answer = sandbox.del(&lab.socket()).expect("an answer");
    assert!(matches!(answer, Answer::Done { did: Did::Unenrolled, .. }), "{answer:?}");
}
