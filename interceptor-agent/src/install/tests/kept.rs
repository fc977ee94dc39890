// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What others have written stays as it is.

use super::*;

/// Keys in an order of their own, numbers that no float holds, and blanks.
const ODD: &str = r#"{
  "zeta": {"b": 1.10, "a": 123456789012345678901234567890},
  "plugins": [ { "type" : "bridge",   "mtu": 1e3 } ],
  "disableCheck": true,
  "name": "odd",
  "cniVersions": ["1.0.0", "1.1.0"],
  "cniVersion": "1.1.0",
  "alpha": null
}"#;

#[test]
fn unknown_keys_keep_their_order_and_their_text() {
    let node = Node::with(&[("a.conflist", ODD)]);
    node.installs_into(CHAINED, "a.conflist");
    let text = node.text("a.conflist");
    let mut at = 0;
    for piece in [
        r#""zeta": {"b": 1.10, "a": 123456789012345678901234567890}"#,
        r#"{ "type" : "bridge",   "mtu": 1e3 }"#,
        r#""type":"interceptor-cni""#,
        r#""disableCheck": true"#,
        r#""name": "odd""#,
        r#""cniVersions": ["1.0.0", "1.1.0"]"#,
        r#""cniVersion": "1.1.0""#,
        r#""alpha": null"#,
    ] {
        at += text[at..]
            .find(piece)
            .unwrap_or_else(|| panic!("no {piece} in its place:\n{text}"));
    }
}

/// As programs in Go read it.
#[test]
fn of_two_values_of_a_key_the_second_counts() {
    let node = Node::with(&[(
        "a.conflist",
        r#"{"name": "a", "plugins": [], "x": 1, "plugins": [{"type": "ptp"}]}"#,
    )]);
    node.installs_into(CHAINED, "a.conflist");
    assert_eq!(types(&node.json("a.conflist")), ["ptp", "interceptor-cni"]);
    assert_eq!(node.text("a.conflist").matches("plugins").count(), 1);
}

#[test]
fn what_the_primary_plugin_changes_later_is_kept_and_the_entry_moves_to_the_end() {
    let node = Node::with(&[("a.conflist", LIST)]);
    node.installs_into(CHAINED, "a.conflist");
    let mut list = node.json("a.conflist");
    list["cniVersion"] = json!("1.1.0");
    list["plugins"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "tuning", "mtu": 9000}));
    node.write("a.conflist", &list.to_string());
    set_mode(&node.net("a.conflist"), 0o644);
    let standing = node.installation(CHAINED).check().unwrap();
    assert_eq!(standing, Standing::Lost { file: node.net("a.conflist") });
    node.installs_into(CHAINED, "a.conflist");
    let list = node.json("a.conflist");
    assert_eq!(types(&list), ["bridge", "portmap", "tuning", "interceptor-cni"]);
    assert_eq!(list["cniVersion"], "1.1.0");
    assert_eq!(list["plugins"][2]["mtu"], 9000);
    assert_eq!(mode(&node.net("a.conflist")), 0o644);
}

#[test]
fn a_list_keeps_the_mode_of_the_single_plugin_that_it_was() {
    let node = Node::with(&[("a.conf", SINGLE)]);
    set_mode(&node.net("a.conf"), 0o604);
    node.installs_into(CHAINED, "a.conflist");
    assert_eq!(mode(&node.net("a.conflist")), 0o604);
}

#[test]
fn an_entry_that_says_something_else_is_replaced() {
    let node = Node::with(&[("a.conflist", LIST)]);
    node.installs_into(CHAINED, "a.conflist");
    for change in [
        |entry: &mut Value| entry["exclude_namespaces"] = json!([]),
        |entry: &mut Value| entry["more"] = json!(1),
        |entry: &mut Value| {
            entry.as_object_mut().unwrap().remove("capabilities").unwrap();
        },
    ] {
        let mut list = node.json("a.conflist");
        change(&mut list["plugins"][2]);
        node.write("a.conflist", &list.to_string());
        node.installs_into(CHAINED, "a.conflist");
        assert_eq!(node.json("a.conflist")["plugins"][2], entry());
    }
}

#[test]
fn an_entry_in_other_words_is_left_alone() {
    let node = Node::with(&[("a.conflist", LIST)]);
    node.installs_into(CHAINED, "a.conflist");
    // Keys in the order of their bytes.
    node.write("a.conflist", &node.json("a.conflist").to_string());
    node.is_settled(CHAINED, "a.conflist");
}

#[test]
fn an_entry_that_is_there_twice_is_there_once_afterwards() {
    let node = Node::with(&[("a.conflist", LIST)]);
    node.installs_into(CHAINED, "a.conflist");
    let mut list = node.json("a.conflist");
    list["plugins"].as_array_mut().unwrap().insert(0, entry());
    node.write("a.conflist", &list.to_string());
    node.installs_into(CHAINED, "a.conflist");
    assert_eq!(types(&node.json("a.conflist")), ["bridge", "portmap", "interceptor-cni"]);
}

/// Between the two steps an earlier run was killed, or the primary plugin has written its file anew.
#[test]
fn a_single_plugin_that_is_back_takes_the_place_of_the_list() {
    let node = Node::with(&[("a.conf", SINGLE)]);
    node.installs_into(CHAINED, "a.conflist");
    let changed = SINGLE.replace("host-local", "dhcp");
    node.write("a.conf", &changed);
    let standing = node.installation(CHAINED).check().unwrap();
    assert_eq!(standing, Standing::Lost { file: node.net("a.conflist") });
    node.installs_into(CHAINED, "a.conflist");
    assert_eq!(node.json("a.conflist")["plugins"][0]["ipam"]["type"], "dhcp");
    assert_eq!(node.names(), ["a.conflist"]);
}

#[test]
fn a_list_of_others_is_not_overwritten_by_a_single_plugin() {
    let node = Node::with(&[("a.conf", SINGLE), ("a.conflist", LIST)]);
    let error = node.refuses(CHAINED);
    assert!(
        matches!(&error, InstallError::Occupied { path } if *path == node.net("a.conflist")),
        "{error}"
    );
}
