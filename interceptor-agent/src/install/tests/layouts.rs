// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which file gets the entry, and what it says then.

use rstest::rstest;

use super::*;

#[test]
fn a_list_gets_the_entry_at_its_end() {
    let node = Node::with(&[("10-pods.conflist", LIST)]);
    node.installs_into(CHAINED, "10-pods.conflist");
    assert_eq!(
        node.json("10-pods.conflist"),
        json!({
            "cniVersion": "1.0.0",
            "name": "pods",
            "plugins": [{"type": "bridge"}, {"type": "portmap"}, entry()],
        })
    );
    assert_eq!(node.names(), ["10-pods.conflist"]);
}

/// Plugins file addresses in use under the name of the network, so the list has to keep it.
#[test]
fn a_single_plugin_becomes_a_list_of_its_name() {
    let node = Node::with(&[("10-pods.conf", SINGLE)]);
    node.installs_into(CHAINED, "10-pods.conflist");
    assert_eq!(
        node.json("10-pods.conflist"),
        json!({
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [serde_json::from_str::<Value>(SINGLE).unwrap(), entry()],
        })
    );
    assert_eq!(node.names(), ["10-pods.conflist"]);
}

#[rstest]
#[case::nothing(r#"{"type": "bridge"}"#, "0.3.1", "k8s-pod-network")]
#[case::empty(r#"{"type": "bridge", "name": "", "cniVersion": ""}"#, "0.3.1", "k8s-pod-network")]
#[case::without_results(r#"{"type": "bridge", "name": "a", "cniVersion": "0.2.0"}"#, "0.3.1", "a")]
#[case::newer(r#"{"type": "bridge", "name": "a", "cniVersion": "1.1.0"}"#, "1.1.0", "a")]
#[case::first_with_results(r#"{"type": "bridge", "name": "a", "cniVersion": "0.3.0"}"#, "0.3.0", "a")]
fn a_single_plugin_says_the_version_of_the_list(#[case] single: &str, #[case] version: &str, #[case] name: &str) {
    let node = Node::with(&[("a.conf", single)]);
    node.installs_into(CHAINED, "a.conflist");
    let list = node.json("a.conflist");
    assert_eq!((&list["cniVersion"], &list["name"]), (&json!(version), &json!(name)));
}

#[rstest]
#[case::two_lists(&[("10-a.conflist", LIST), ("20-b.conflist", LIST)], "10-a.conflist")]
#[case::single_before_a_list(&[("10-a.conf", SINGLE), ("20-b.conflist", LIST)], "10-a.conflist")]
#[case::capitals_come_first(&[("B.conflist", LIST), ("a.conflist", LIST)], "B.conflist")]
#[case::no_json_first(&[("10-a.conflist", "{\"name\": "), ("20-b.conflist", LIST)], "20-b.conflist")]
#[case::empty_first(&[("10-a.conf", ""), ("20-b.conflist", LIST)], "20-b.conflist")]
#[case::no_plugins_first(
    &[("10-a.conflist", r#"{"name": "a", "plugins": []}"#), ("20-b.conflist", LIST)],
    "20-b.conflist"
)]
#[case::no_type_first(&[("10-a.conf", r#"{"name": "a"}"#), ("20-b.conflist", LIST)], "20-b.conflist")]
#[case::type_of_no_text_first(
    &[("10-a.conflist", r#"{"name": "a", "plugins": [{"type": 7}]}"#), ("20-b.conflist", LIST)],
    "20-b.conflist"
)]
#[case::list_named_as_a_single(&[("10-a.conf", LIST), ("20-b.conflist", LIST)], "20-b.conflist")]
#[case::other_names(&[("10-a.conflist.bak", LIST), ("09.conf.d", LIST), ("20-b.conflist", LIST)], "20-b.conflist")]
fn the_first_valid_file_gets_the_entry(#[case] files: &[(&str, &str)], #[case] name: &str) {
    let node = Node::with(files);
    node.installs_into(CHAINED, name);
    let with_entry = node
        .names()
        .into_iter()
        .filter(|name| node.text(name).contains("interceptor-cni"));
    assert_eq!(with_entry.collect::<Vec<_>>(), [name]);
}

#[rstest]
#[case::the_named_file("20-b.conflist", &[("10-a.conflist", LIST), ("20-b.conflist", LIST)], "20-b.conflist")]
#[case::single_named_but_a_list_there(
    "20-b.conf",
    &[("10-a.conflist", LIST), ("20-b.conflist", LIST)],
    "20-b.conflist"
)]
#[case::list_named_but_a_single_there("20-b.conflist", &[("20-b.conf", SINGLE)], "20-b.conflist")]
fn a_file_can_be_named(#[case] file: &str, #[case] files: &[(&str, &str)], #[case] name: &str) {
    let node = Node::with(files);
    node.installs_into(Layout::Chained { file: Some(file.to_owned()) }, name);
}

#[rstest]
#[case::nothing_there(None, &[], &[])]
#[case::only_invalid_files(
    None,
    &[("a.conf", "{}"), ("b.conflist", r#"{"name": "b"}"#), ("c.conflist", r#"{"plugins": []}"#)],
    &["a.conf: a plugin has no `type`", "b.conflist: it has no `plugins`", "c.conflist: it has no `name`"]
)]
#[case::named_file_is_not_there(Some("x.conf"), &[("a.conflist", LIST)], &[])]
#[case::named_file_is_invalid(
    Some("x.conf"),
    &[("x.conf", "{}"), ("x.conflist", LIST)],
    &["x.conf: a plugin has no `type`"]
)]
fn without_a_valid_file_the_program_waits_for_one(
    #[case] file: Option<&str>,
    #[case] files: &[(&str, &str)],
    #[case] why: &[&str],
) {
    let node = Node::with(files);
    let installation = node.installation(Layout::Chained { file: file.map(str::to_owned) });
    let before = snapshot(&node.net(""));
    let why: Vec<_> = why.iter().map(|&line| line.to_owned()).collect();
    assert_eq!(installation.install().unwrap(), Outcome::NoList { why: why.clone() });
    assert_eq!(installation.check().unwrap(), Standing::NoList { why });
    assert_eq!(snapshot(&node.net("")), before);
    assert!(node.program().exists());
}

#[test]
fn a_list_that_comes_later_gets_the_entry() {
    let node = Node::new();
    assert_eq!(
        node.installation(CHAINED).install().unwrap(),
        Outcome::NoList { why: Vec::new() }
    );
    node.write("10-pods.conflist", LIST);
    node.installs_into(CHAINED, "10-pods.conflist");
}

#[rstest]
#[case::single("YYY-interceptor-cni.conf")]
#[case::list("interceptor.conflist")]
fn a_file_of_its_own_has_no_other_plugin(#[case] name: &str) {
    let node = Node::with(&[("10-pods.conflist", LIST)]);
    node.installs_into(Layout::Standalone { name: name.to_owned() }, name);
    let mut alone = entry();
    alone["cniVersion"] = json!("0.3.1");
    let json = node.json(name);
    let list = json!({"cniVersion": "0.3.1", "name": "interceptor-cni", "plugins": [alone]});
    assert!(json == alone || json == list, "{json}");
    assert_eq!(json.get("plugins").is_some(), name.ends_with("list"));
    assert_eq!(node.text("10-pods.conflist"), LIST);
    assert_eq!(mode(&node.net(name)), 0o600);
}

#[test]
fn the_group_may_read_a_file_of_ours_if_it_shall() {
    let node = Node::new();
    let mut installation = node.installation(Layout::Standalone { name: "own.conf".to_owned() });
    installation.group_read = true;
    installation.install().unwrap();
    assert_eq!(mode(&node.net("own.conf")), 0o640);
}

#[test]
fn the_program_can_be_run_and_is_written_only_if_it_differs() {
    let node = Node::with(&[("10-pods.conflist", LIST)]);
    node.installs_into(CHAINED, "10-pods.conflist");
    assert_eq!(mode(&node.program()), 0o755);
    let first = fs::metadata(node.program()).unwrap().modified().unwrap();
    node.is_settled(CHAINED, "10-pods.conflist");
    assert_eq!(fs::metadata(node.program()).unwrap().modified().unwrap(), first);
    fs::write(node.root.path().join("program"), "#!/bin/false\n").unwrap();
    node.installs_into(CHAINED, "10-pods.conflist");
    assert_eq!(fs::read_to_string(node.program()).unwrap(), "#!/bin/false\n");
}
