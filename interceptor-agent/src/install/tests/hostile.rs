// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Others write to the same directories, by mistake or on purpose.

use std::{
    os::unix::{fs::symlink, net::UnixListener},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use nix::{sys::stat::Mode, unistd::mkfifo};
use rstest::rstest;

use super::*;
use crate::install::directory::{Attributes, Directory, Replaced};

const ANY: Attributes = Attributes { mode: 0o600, owner: None };

#[test]
fn a_link_out_of_the_directory_is_not_followed() {
    let node = Node::with(&[("20-b.conflist", LIST)]);
    let outside = node.root.path().join("outside");
    fs::write(&outside, LIST).unwrap();
    symlink(&outside, node.net("10-a.conflist")).unwrap();
    let error = node.refuses(CHAINED).to_string();
    assert!(error.contains("10-a.conflist is a symbolic link"), "{error}");
    assert_eq!(fs::read_to_string(outside).unwrap(), LIST);
}

/// Nobody reads what comes after the list that is read.
#[test]
fn a_link_behind_the_list_does_no_harm() {
    let node = Node::with(&[("10-a.conflist", LIST)]);
    symlink("/dev/zero", node.net("20-b.conflist")).unwrap();
    node.installs_into(CHAINED, "10-a.conflist");
    node.installation(CHAINED).uninstall().unwrap();
    assert_eq!(types(&node.json("10-a.conflist")), ["bridge", "portmap"]);
}

#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let node = Node::new();
    mkfifo(&node.net("a.conf"), Mode::S_IRUSR).unwrap();
    let error = node.refuses(CHAINED).to_string();
    assert!(error.contains("a.conf is no regular file"), "{error}");
}

#[test]
fn a_socket_is_refused_and_a_directory_passed_over() {
    let node = Node::with(&[("b.conflist", LIST)]);
    for name in ["a.conf", "c.conflist.tmp.interceptor.17.0"] {
        fs::create_dir(node.net(name)).unwrap();
    }
    node.installs_into(CHAINED, "b.conflist");
    let _socket = UnixListener::bind(node.net("a.conflist")).unwrap();
    let error = node.refuses(CHAINED).to_string();
    assert!(error.contains("a.conflist is no regular file"), "{error}");
}

#[test]
fn a_file_without_end_is_refused() {
    let node = Node::new();
    node.write("a.conf", &" ".repeat(1024 * 1024 + 1));
    let error = node.refuses(CHAINED).to_string();
    assert!(error.contains("a.conf is too large"), "{error}");
}

#[test]
fn a_link_in_the_place_of_the_program_is_refused() {
    let node = Node::with(&[("a.conflist", LIST)]);
    let outside = node.root.path().join("outside");
    fs::write(&outside, "mine").unwrap();
    symlink(&outside, node.program()).unwrap();
    let error = node.installation(CHAINED).install().unwrap_err().to_string();
    assert!(error.contains("interceptor-cni is a symbolic link"), "{error}");
    assert_eq!(fs::read_to_string(outside).unwrap(), "mine");
    assert_eq!(node.text("a.conflist"), LIST);
}

#[rstest]
#[case::elsewhere("../a.conflist")]
#[case::below("sub/a.conflist")]
#[case::absolute("/a.conflist")]
#[case::no_configuration("a.json")]
#[case::no_ending("conflist")]
#[case::empty("")]
fn a_name_that_no_configuration_can_have_is_refused(#[case] name: &str) {
    let node = Node::with(&[("a.conflist", LIST)]);
    let named = || name.to_owned();
    for layout in [
        Layout::Chained { file: Some(named()) },
        Layout::OwnList { name: named(), file: None },
        Layout::OwnList { name: "own.conflist".to_owned(), file: Some(named()) },
        Layout::Standalone { name: named() },
    ] {
        let error = node.refuses(layout).to_string();
        assert!(
            error.starts_with(&format!("`{name}` is not the name of a CNI configuration; ")),
            "{error}"
        );
    }
}

#[test]
fn what_killed_runs_leave_is_removed_and_what_others_leave_is_not() {
    let node = Node::with(&[("a.conflist", LIST)]);
    let ours = "a.conflist.tmp.interceptor.17.0";
    for name in [ours, "a.conflist.tmp.123", ".tmp.interceptor"] {
        node.write(name, "half");
    }
    fs::write(node.root.path().join("bin").join(ours), "half").unwrap();
    node.installs_into(CHAINED, "a.conflist");
    assert_eq!(node.names(), [".tmp.interceptor", "a.conflist", "a.conflist.tmp.123"]);
    assert_eq!(names(&node.root.path().join("bin")), ["interceptor-cni"]);
}

#[rstest]
#[case::written_in_place(|path: &Path| fs::write(path, LIST).unwrap())]
#[case::replaced(|path: &Path| {
    fs::write(path.with_extension("new"), LIST).unwrap();
    fs::rename(path.with_extension("new"), path).unwrap();
})]
#[case::removed(|path: &Path| fs::remove_file(path).unwrap())]
fn a_file_that_others_have_changed_meanwhile_is_left_alone(#[case] change: fn(&Path)) {
    let node = Node::with(&[("a.conflist", "old")]);
    let directory = Directory::open(&node.net("")).unwrap();
    let version = directory.read("a.conflist", 100).unwrap().unwrap().version;
    change(&node.net("a.conflist"));
    let before = snapshot(&node.net(""));
    let replaced = directory.replace("a.conflist", b"new", ANY, Some(version)).unwrap();
    assert_eq!(replaced, Replaced::ChangedMeanwhile);
    assert_eq!(directory.remove("a.conflist", version).unwrap(), Replaced::ChangedMeanwhile);
    assert_eq!(snapshot(&node.net("")), before);
}

#[test]
fn a_file_that_has_come_meanwhile_is_left_alone() {
    let node = Node::with(&[("a.conflist", LIST)]);
    let directory = Directory::open(&node.net("")).unwrap();
    assert_eq!(
        directory.replace("a.conflist", b"new", ANY, None).unwrap(),
        Replaced::ChangedMeanwhile
    );
    assert_eq!(node.text("a.conflist"), LIST);
    assert_eq!(node.names(), ["a.conflist"]);
}

/// Each reader sees a whole list, whoever of the two has written it.
#[test]
fn nobody_ever_reads_half_a_list() {
    let node = Node::with(&[("a.conflist", LIST)]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let primary = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                fs::write(node.net("new"), LIST).unwrap();
                fs::rename(node.net("new"), node.net("a.conflist")).unwrap();
            }
        });
        let reader = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                assert!(types(&node.json("a.conflist")).starts_with(&["bridge", "portmap"]));
            }
        });
        let installation = node.installation(CHAINED);
        for _round in 0..200 {
            match installation.install() {
                Ok(outcome) => assert!(matches!(outcome, Outcome::Installed { .. }), "{outcome:?}"),
                Err(error) => assert!(matches!(error, InstallError::Busy { .. }), "{error}"),
            }
        }
        is_over.store(true, Ordering::Relaxed);
        primary.join().unwrap();
        reader.join().unwrap();
    });
    node.installation(CHAINED).install().unwrap();
    node.is_settled(CHAINED, "a.conflist");
}

#[test]
fn a_directory_that_is_missing_is_named() {
    let node = Node::new();
    let mut installation = node.installation(CHAINED);
    installation.bin_dir.push("missing");
    let error = installation.install().unwrap_err().to_string();
    assert!(error.contains("bin/missing: No such file"), "{error}");
}
