// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Other users may write to the root of the BPF file system. What they put there is neither followed, used nor
//! removed, and they cannot keep anybody waiting.

use std::{
    fs::{self, File},
    os::unix::fs::{PermissionsExt as _, lchown, symlink},
    path::Path,
};

use nix::fcntl::{Flock, FlockArg};
use testkit::{Node, scene::Scene};

const NOBODY: u32 = 65_534;

/// Versions before moved what they removed to this place.
#[test]
fn links_in_the_place_of_an_unfinished_removal_are_not_followed() {
    let node = Node::new();
    let pod = Scene::new(&node, "pod").pod;
    let precious = node.work().join("precious");
    fs::create_dir_all(precious.join("pods")).expect("a directory to protect");
    fs::write(precious.join("pods/file"), "precious").expect("a file to protect");
    let retired = node.bpffs().join("interceptor-retired");
    fs::create_dir(&retired).expect("make a directory in bpffs");
    symlink(&precious, retired.join("version")).expect("make a link in bpffs");
    give_to_nobody(&retired);

    pod.enroll(&[]);
    pod.clean();
    node.run(&["unenroll", "--all"]).expect_success();
    assert_eq!(
        fs::read_to_string(precious.join("pods/file")).expect("read the file"),
        "precious"
    );
    assert!(retired.exists(), "what belongs to another user is left alone");
    fs::remove_file(retired.join("version")).expect("remove the link");
    fs::remove_dir(&retired).expect("remove the directory");
}

#[test]
fn a_directory_that_another_user_has_made_is_not_used_and_not_removed() {
    let node = Node::new();
    let pod = Scene::new(&node, "pod").pod;
    let home = node.bpffs().join("interceptor");
    fs::create_dir(&home).expect("make a directory in bpffs");
    give_to_nobody(&home);

    let run = pod.try_enroll(testkit::istio_rules::DEFAULT_FLAGS);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(
        run.output().contains(&home.display().to_string()),
        "the directory is named: {run}"
    );
    assert!(run.output().contains("mode=0700"), "the next step is named: {run}");
    node.run(&["unenroll", "--all"]).expect_success();
    assert!(home.exists(), "what belongs to another user is left alone");
    fs::remove_dir(&home).expect("remove the directory");
}

#[test]
fn what_is_ours_is_for_this_user_alone() {
    let node = Node::new();
    let pod = Scene::new(&node, "pod").pod;
    pod.enroll(&[]);
    for directory in node.pins().into_iter().filter(|path| path.is_dir()) {
        let mode = fs::metadata(&directory).expect("look at a directory").permissions().mode();
        assert_eq!(mode & 0o7777, 0o700, "{}", directory.display());
    }
}

#[test]
fn a_lock_of_the_file_system_itself_keeps_nobody_waiting() {
    let node = Node::new();
    let pod = Scene::new(&node, "pod").pod;
    let _lock = lock(&node.bpffs());
    pod.enroll(&["--lock-timeout", "0"]);
    pod.clean();
}

#[test]
fn a_run_that_finds_the_lock_taken_names_the_holder_and_can_be_tried_again() {
    let node = Node::new();
    let [first, second] = ["first", "second"].map(|name| Scene::new(&node, name).pod);
    first.enroll(&[]);
    let held = lock(&node.bpffs().join("interceptor"));
    let netns = second.namespace().path().display().to_string();
    let cgroup = second.namespace().cgroup().display().to_string();
    let place = ["--netns", &netns, "--cgroup", &cgroup, "--lock-timeout", "0"];
    let run = node.run(&[&["enroll"], testkit::istio_rules::DEFAULT_FLAGS, &place].concat());
    assert_eq!(run.code, Some(75), "{run}");
    assert!(
        run.output().contains(&std::process::id().to_string()),
        "the holder is named: {run}"
    );
    assert_eq!(node.enrolled().len(), 1, "{:#?}", node.enrolled());

    drop(held);
    second.enroll(&[]);
    assert_eq!(node.enrolled().len(), 2, "{:#?}", node.enrolled());
}

fn give_to_nobody(path: &Path) {
    lchown(path, Some(NOBODY), Some(NOBODY)).expect("change the owner");
}

fn lock(path: &Path) -> Flock<File> {
    let directory = File::open(path).expect("open a directory");
    Flock::lock(directory, FlockArg::LockExclusiveNonblock).expect("take the lock")
}
