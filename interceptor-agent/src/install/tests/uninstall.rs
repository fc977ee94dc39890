// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is left when the plugin is gone.

use super::*;

#[test]
fn the_entry_and_the_program_are_gone_and_the_rest_stays() {
    let node = Node::with(&[("10-pods.conflist", LIST)]);
    set_mode(&node.net("10-pods.conflist"), 0o644);
    let installation = node.installation(CHAINED);
    installation.install().unwrap();
    fs::write(node.root.path().join("bin/bridge"), "").unwrap();
    installation.uninstall().unwrap();
    assert_eq!(node.json("10-pods.conflist"), serde_json::from_str::<Value>(LIST).unwrap());
    assert_eq!(mode(&node.net("10-pods.conflist")), 0o644);
    assert_eq!(names(&node.root.path().join("bin")), ["bridge"]);
}

/// The primary plugin has renamed its file, and another list has got the entry as well.
#[test]
fn the_entry_is_taken_out_of_the_file_it_is_in_now() {
    let node = Node::with(&[("10-pods.conflist", LIST)]);
    let installation = node.installation(CHAINED);
    installation.install().unwrap();
    fs::rename(node.net("10-pods.conflist"), node.net("30-moved.conflist")).unwrap();
    node.write("20-more.conflist", LIST);
    installation.install().unwrap();
    installation.uninstall().unwrap();
    for name in ["20-more.conflist", "30-moved.conflist"] {
        assert_eq!(types(&node.json(name)), ["bridge", "portmap"], "{name}");
    }
}

#[test]
fn a_file_that_has_nothing_but_the_entry_is_removed() {
    let node = Node::with(&[
        ("a.conf", &entry().to_string()),
        ("b.conflist", &json!({"name": "b", "plugins": [entry()]}).to_string()),
        ("c.conflist", LIST),
    ]);
    node.installation(CHAINED).uninstall().unwrap();
    assert_eq!(node.names(), ["c.conflist"]);
    assert_eq!(node.text("c.conflist"), LIST);
}

#[test]
fn files_without_the_entry_are_not_written() {
    let node =
        Node::with(&[("a.conflist", LIST), ("b.conflist", "no JSON"), ("c.conf", SINGLE), ("d", "interceptor-cni")]);
    let before = snapshot(&node.net(""));
    let modified = |name| fs::metadata(node.net(name)).unwrap().modified().unwrap();
    let first = modified("a.conflist");
    node.installation(CHAINED).uninstall().unwrap();
    assert_eq!(snapshot(&node.net("")), before);
    assert_eq!(modified("a.conflist"), first);
}

#[test]
fn a_second_time_changes_nothing() {
    let node = Node::with(&[("a.conflist", LIST)]);
    let installation = node.installation(CHAINED);
    installation.install().unwrap();
    installation.uninstall().unwrap();
    let after = snapshot(&node.net(""));
    installation.uninstall().unwrap();
    assert_eq!(snapshot(&node.net("")), after);
}

/// A program that is still in the list would keep every pod of the node from starting.
#[test]
fn the_program_stays_if_the_entry_cannot_be_taken_out() {
    let node = Node::with(&[("a.conflist", LIST)]);
    let mut installation = node.installation(CHAINED);
    installation.install().unwrap();
    installation.net_dir.push("missing");
    installation.uninstall().unwrap_err();
    assert!(node.program().exists());
}

/// As a request does that began before the entry was taken out.
#[test]
fn a_plugin_that_runs_is_seen_until_it_has_ended() {
    let node = Node::with(&[("a.conflist", LIST)]);
    let mut installation = node.installation(CHAINED);
    installation.binary = PathBuf::from("/bin/cat");
    installation.install().unwrap();
    let is_running = || installation.is_running(Path::new("/proc"));
    assert!(!is_running());
    let mut plugin = Command::new(node.program()).stdin(Stdio::piped()).spawn().unwrap();
    assert!(is_running());
    drop(plugin.stdin.take());
    assert!(plugin.wait().unwrap().success());
    assert!(!is_running());
}
