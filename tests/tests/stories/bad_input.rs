// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What cannot be done is refused, by name, and nothing has changed.

use std::{fs, path::Path};

use rstest::rstest;
use testkit::{
    Node, Run,
    istio_rules::DEFAULT_FLAGS,
    scene::{Outcome, Scene},
};

#[rstest]
#[case::port_is_a_word(&["-p", "abc"], 1, "abc")]
#[case::port_is_too_large(&["-p", "70000"], 1, "70000")]
#[case::inbound_port_is_too_large(&["-z", "70000"], 1, "70000")]
#[case::excluded_port_is_a_word(&["-o", "80,abc"], 1, "abc")]
#[case::range_without_mask(&["-i", "10.0.0.0"], 1, "10.0.0.0")]
#[case::excluded_range_is_everything(&["-x", "*"], 1, "--istio-service-exclude-cidr")]
#[case::unknown_flag(&["--no-such-flag"], 255, "no-such-flag")]
#[case::bad_boolean(&["--redirect-dns=perhaps"], 255, "perhaps")]
#[case::netns_is_missing(&["--netns", "/nonexistent"], 1, "/nonexistent")]
#[case::netns_is_a_file(&["--netns", "/etc/passwd"], 1, "/etc/passwd")]
#[case::cgroup_is_missing(&["--cgroup", "/nonexistent"], 1, "/nonexistent")]
#[case::cgroup_is_a_directory(&["--cgroup", "/tmp"], 1, "/tmp")]
fn is_refused(#[case] flags: &[&str], #[case] code: i32, #[case] named: &str) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let place = scene.pod.place();
    // The pod's true place, unless the flags say where.
    let place = place
        .chunks(2)
        .filter(|pair| !flags.contains(&pair[0].as_str()))
        .flatten()
        .map(String::as_str);
    let arguments: Vec<&str> = ["istio-iptables"]
        .into_iter()
        .chain(DEFAULT_FLAGS.iter().copied())
        .chain(flags.iter().copied())
        .chain(place)
        .collect();
    expect_refusal(&scene, &node.run(&arguments), code, named);
}

/// A name may lead to anything. No command waits for it, reads it for ever, or opens a device.
#[rstest]
fn what_is_not_a_file_of_reasonable_size_is_refused(
    #[values("--resolv-conf", "--netns", "--cgroup")] flag: &str,
    #[values(Odd::Fifo, Odd::Endless, Odd::Directory, Odd::Large)] odd: Odd,
) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let path = odd.make(node.work());
    let place = scene.pod.place();
    let place = place.chunks(2).filter(|pair| pair[0] != flag).flatten().map(String::as_str);
    let arguments: Vec<&str> = ["istio-iptables"]
        .into_iter()
        .chain(DEFAULT_FLAGS.iter().copied())
        .chain(["--redirect-dns", flag, &path])
        .chain(place)
        .collect();
    expect_refusal(&scene, &node.run(&arguments), 1, &path);
}

#[rstest]
#[case::explain(&["explain", "10.1.2.3:443"])]
#[case::render(&["render", "iptables"])]
fn commands_that_read_refuse_it_too(
    #[case] command: &[&str],
    #[values(Odd::Fifo, Odd::Endless, Odd::Directory, Odd::Large)] odd: Odd,
) {
    let node = Node::new();
    let path = odd.make(node.work());
    let mut words = vec![node.interceptor().to_str().expect("a path in UTF-8")];
    words.extend(command);
    words.extend(["--redirect-dns", "--resolv-conf", &path]);
    let run = Run::of_line(&words);
    assert_eq!(run.code, Some(64), "{run}");
    assert!(run.output().contains(&path), "{run}");
}

/// `DRY_RUN_FILE_PATH`, which Istio has for its tests.
#[test]
fn a_plan_is_not_written_to_a_fifo_that_nobody_reads() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let path = Odd::Fifo.make(node.work());
    let mut command = scene.pod.enroll_command(&[DEFAULT_FLAGS, &["--dry-run"]].concat());
    command.env("DRY_RUN_FILE_PATH", &path);
    let run = Run::of(command);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.output().contains(&path), "{run}");
}

/// What is no file that anybody would write.
#[derive(Clone, Copy, Debug)]
enum Odd {
    Fifo,
    Endless,
    Directory,
    /// More than a MiB.
    Large,
}

impl Odd {
    /// The path of one.
    fn make(self, directory: &Path) -> String {
        let path = directory.join("odd");
        match self {
            Self::Fifo => Run::of_line(&["mkfifo", &path.display().to_string()]).expect_success(),
            Self::Endless => return "/dev/zero".to_owned(),
            Self::Directory => fs::create_dir(&path).expect("a directory"),
            Self::Large => fs::write(&path, vec![b'#'; (1 << 20) + 1]).expect("a large file"),
        }
        path.display().to_string()
    }
}

#[test]
fn without_privileges_is_refused() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let mut command = scene.pod.app_as(1002, 1002).command(&node.interceptor().display().to_string());
    command
        .arg("istio-iptables")
        .args(DEFAULT_FLAGS)
        .args(scene.pod.place())
        .arg("--bpffs")
        .arg(node.bpffs());
    let run = Run::of(command);
    let denied = ["ermission", "EPERM", "EACCES", "permitted", "CAP_"]
        .iter()
        .any(|word| run.output().contains(word));
    assert!(denied, "the message says that privileges are missing: {run}");
    expect_refusal(&scene, &run, 1, "");
}

/// The running enrollment stays as it is when a new one is refused.
#[test]
fn an_enrolled_pod_keeps_its_configuration() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    let run = scene
        .pod
        .try_enroll(&[DEFAULT_FLAGS, &["--reconcile", "-o", "80,abc"]].concat());
    assert_eq!(run.code, Some(1), "{run}");
    assert_eq!(
        [scene.outbound(), scene.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );
}

fn expect_refusal(scene: &Scene<'_>, run: &Run, code: i32, named: &str) {
    assert_eq!(run.code, Some(code), "{run}");
    assert!(run.output().contains(named), "the message names {named}: {run}");
    assert!(!run.output().contains("panicked"), "{run}");
    let enrolled = scene.pod.node().enrolled();
    assert!(enrolled.is_empty(), "{enrolled:#?}");
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::Direct, Outcome::Direct]);
}
