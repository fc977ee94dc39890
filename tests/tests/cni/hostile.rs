// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Others who can write where the plugin looks.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown, symlink},
};

use serde_json::json;

use crate::{
    agent::{Agent, enrolled},
    node::{Cgroups, burstable, on},
};

#[test]
fn a_log_file_that_is_a_link_is_not_written() {
    on(Cgroups::Unified, |node| {
        let precious = node.run_dir().join("precious");
        fs::write(&precious, "precious").unwrap();
        symlink(&precious, node.run_dir().join("interceptor-cni.log")).unwrap();
        let run = node.plugin("ADD").annotations(json!({})).run();
        run.expect_line("note", "There is no log file");
        run.expect("passed", "");
        assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
    });
}

#[test]
fn a_run_directory_that_others_may_write_to_gets_no_log_and_no_lock() {
    on(Cgroups::Hybrid, |node| {
        fs::create_dir_all(node.version1(&burstable())).unwrap();
        let agent = Agent::start(node, enrolled());
        fs::set_permissions(node.run_dir(), fs::Permissions::from_mode(0o777)).unwrap();
        let run = node.plugin("ADD").injected().run();
        run.expect_line("note", "others may write to it");
        let msg = run.expect_error(102);
        assert!(msg.contains("cgroups.lock"), "{msg}");
        let left: Vec<_> = fs::read_dir(node.run_dir())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["cni.sock"]);
        assert!(agent.stop().is_empty());
    });
}

#[test]
fn a_run_directory_of_another_user_is_not_written_to() {
    on(Cgroups::Unified, |node| {
        chown(node.run_dir(), Some(1000), None).unwrap();
        let run = node.plugin("ADD").annotations(json!({})).run();
        run.expect_line("note", "belongs to another user");
        run.expect("passed", "");
        assert_eq!(fs::read_dir(node.run_dir()).unwrap().count(), 0);
    });
}

/// Whoever listens there gets the pod's namespace, and may say that it needs no interception.
#[test]
fn another_users_agent_is_not_asked() {
    on(Cgroups::Unified, |node| {
        node.with_cgroup();
        let agent = Agent::start_as(1000, node, enrolled());
        let msg = node.plugin("ADD").injected().run().expect_error(100);
        assert!(msg.contains("user 1000 listens"), "{msg}");
        assert!(agent.stop().is_empty());
    });
}

#[test]
fn the_log_has_a_line_for_each_add() {
    on(Cgroups::Unified, |node| {
        for _ in 0..2 {
            node.plugin("ADD").annotations(json!({})).run().expect("passed", "");
        }
        let log = fs::read_to_string(node.run_dir().join("interceptor-cni.log")).unwrap();
        let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            [&lines[0]["pod"], &lines[0]["did"], &lines[0]["verb"]],
            ["default/web-0", "passed", "ADD"]
        );
        assert!(lines[0]["ms"].is_u64() && lines[0]["why"].is_string());
    });
}
