// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which changes are noticed.

use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::install::{Change, Watch};

/// A safety net: every change here has happened before the watch is asked.
const LONG: Duration = Duration::from_secs(30);

fn watched(node: &Node) -> Watch {
    let watch = Watch::new(&[&node.net(""), &node.root.path().join("bin")]).unwrap();
    assert_eq!(watch.changed().unwrap(), None);
    watch
}

#[rstest]
#[case::written_in_place(|node: &Node| node.write("a.conflist", "{}"))]
#[case::new(|node: &Node| node.write("b.conflist", LIST))]
#[case::removed(|node: &Node| fs::remove_file(node.net("a.conflist")).unwrap())]
#[case::renamed(|node: &Node| fs::rename(node.net("a.conflist"), node.net("b.conflist")).unwrap())]
#[case::linked(|node: &Node| fs::hard_link(node.net("a.conflist"), node.net("b.conflist")).unwrap())]
#[case::other_mode(|node: &Node| set_mode(&node.net("a.conflist"), 0o640))]
#[case::program(|node: &Node| fs::write(node.program(), "").unwrap())]
fn a_file_that_changes_is_noticed_once(#[case] change: fn(&Node)) {
    let node = Node::with(&[("a.conflist", LIST)]);
    let watch = watched(&node);
    change(&node);
    assert_eq!(watch.wait(LONG).unwrap(), Some(Change::File));
    assert_eq!(watch.changed().unwrap(), None);
}

#[rstest]
#[case::removed(|path: &Path| fs::remove_dir_all(path).unwrap())]
#[case::moved(|path: &Path| fs::rename(path, path.with_extension("old")).unwrap())]
fn a_directory_that_is_gone_needs_a_new_watch(#[case] change: fn(&Path)) {
    let node = Node::with(&[("a.conflist", LIST)]);
    let watch = watched(&node);
    change(&node.net(""));
    fs::create_dir(node.net("")).unwrap();
    assert_eq!(watch.wait(LONG).unwrap(), Some(Change::Directory));
    let watch = watched(&node);
    node.write("a.conflist", LIST);
    assert_eq!(watch.wait(LONG).unwrap(), Some(Change::File));
}

/// Otherwise each repair would be looked at for each of its steps.
#[test]
fn temporary_files_of_ours_are_not_noticed() {
    let node = Node::new();
    let watch = watched(&node);
    node.write("a.conflist.tmp.interceptor.1.0", "half");
    fs::remove_file(node.net("a.conflist.tmp.interceptor.1.0")).unwrap();
    assert_eq!(watch.changed().unwrap(), None);
}

#[test]
fn a_look_at_files_that_are_right_is_no_change() {
    let node = Node::with(&[("a.conflist", LIST)]);
    node.installation(CHAINED).install().unwrap();
    let watch = watched(&node);
    node.is_settled(CHAINED, "a.conflist");
    assert_eq!(watch.changed().unwrap(), None);
}

#[test]
fn nothing_is_noticed_where_nothing_changes() {
    let node = Node::new();
    assert_eq!(watched(&node).wait(Duration::from_millis(1)).unwrap(), None);
}

#[test]
fn a_directory_that_is_not_there_cannot_be_watched() {
    let error = Watch::new(&[Path::new("/no such directory")]).unwrap_err().to_string();
    assert!(error.starts_with("failed to watch /no such directory: No such file"), "{error}");
}
