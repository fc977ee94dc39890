// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keeping the plugin in place, by real files and a clock that the test turns.

use std::time::{Duration, Instant};

use super::*;
use crate::install::{Keeper, Step};

/// As Cilium does at its start, and some plugins all the time.
#[test]
fn a_primary_plugin_that_rewrites_its_file_is_answered_with_growing_delay() {
    let node = Node::with(&[("a.conflist", LIST)]);
    let mut keeper = Keeper::new(node.installation(CHAINED));
    let (start, file) = (Instant::now(), node.net("a.conflist"));
    let mut now = start;
    for round in 0..20 {
        node.write("a.conflist", LIST);
        let mut step = keeper.look(now).unwrap();
        if let Step::Later { at } = step {
            assert_eq!(node.text("a.conflist"), LIST, "the entry came back too early");
            // Whoever is woken too early is told the same.
            let early = at.checked_sub(Duration::from_millis(1)).unwrap();
            assert_eq!(keeper.look(early).unwrap(), Step::Later { at });
            now = at;
            step = keeper.look(now).unwrap();
        }
        assert_eq!(step, Step::Repaired { file: file.clone() }, "round {round}");
        assert_eq!(keeper.look(now).unwrap(), Step::InForce { file: file.clone() });
    }
    assert_eq!(keeper.conflicts().total(), 14);
    assert!(keeper.conflicts().is_ongoing(now));
    let waited = [1, 2, 4, 8, 16].iter().sum::<u64>() + 9 * 30;
    assert_eq!(now.duration_since(start), Duration::from_secs(waited));
    assert!(!keeper.conflicts().is_ongoing(now + Duration::from_secs(5)));
}

#[test]
fn the_first_installation_is_no_conflict() {
    let node = Node::new();
    let mut keeper = Keeper::new(node.installation(CHAINED));
    let now = Instant::now();
    assert_eq!(keeper.look(now).unwrap(), Step::NoList { why: Vec::new() });
    assert!(node.program().exists());
    node.write("a.conflist", LIST);
    assert_eq!(keeper.look(now).unwrap(), Step::Repaired { file: node.net("a.conflist") });
    assert_eq!(keeper.conflicts().total(), 0);
}

#[test]
fn a_program_that_is_gone_is_put_back() {
    let node = Node::with(&[("a.conflist", LIST)]);
    let mut keeper = Keeper::new(node.installation(CHAINED));
    let now = Instant::now();
    keeper.look(now).unwrap();
    fs::remove_file(node.program()).unwrap();
    assert_eq!(keeper.look(now).unwrap(), Step::Repaired { file: node.net("a.conflist") });
    assert!(node.program().exists());
}

#[test]
fn after_an_error_the_next_look_tries_again() {
    let node = Node::with(&[("a.conflist", LIST)]);
    let mut keeper = Keeper::new(node.installation(CHAINED));
    let now = Instant::now();
    fs::rename(node.root.path().join("program"), node.root.path().join("away")).unwrap();
    let error = keeper.look(now).unwrap_err().to_string();
    assert!(error.starts_with("failed to read "), "{error}");
    assert_eq!(node.text("a.conflist"), LIST);
    fs::rename(node.root.path().join("away"), node.root.path().join("program")).unwrap();
    assert_eq!(keeper.look(now).unwrap(), Step::Repaired { file: node.net("a.conflist") });
}
