// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Beside Istio's plugin, and in a list of our own.

use rstest::rstest;

use super::*;

const WITH_ISTIO: &str = r#"{"cniVersion": "1.0.0", "name": "pods",
    "plugins": [{"type": "bridge"}, {"type": "istio-cni", "name": "istio-cni"}, {"type": "portmap"}]}"#;
const OWN: &str = "02-interceptor-cni.conflist";

fn own_list() -> Layout {
    Layout::OwnList { name: OWN.to_owned(), file: None }
}

#[rstest]
#[case::chained(CHAINED, "10-pods.conflist")]
#[case::copied(own_list(), "10-pods.conflist")]
#[case::of_the_name(Layout::OwnList { name: "02-istio-cni.conflist".to_owned(), file: None }, "02-istio-cni.conflist")]
fn a_list_with_istios_plugin_is_refused(#[case] layout: Layout, #[case] name: &str) {
    let node = Node::with(&[("20-more.conflist", LIST), (name, WITH_ISTIO)]);
    let error = node.refuses(layout).to_string();
    assert!(error.starts_with(&node.net(name).display().to_string()), "{error}");
    assert!(error.contains("replaceIstioCni"), "{error}");
}

#[test]
fn istios_plugin_is_replaced_if_it_shall() {
    let node = Node::with(&[("10-pods.conflist", WITH_ISTIO)]);
    let mut installation = node.installation(CHAINED);
    installation.replace_istio_cni = true;
    installation.install().unwrap();
    assert_eq!(types(&node.json("10-pods.conflist")), ["bridge", "portmap", "interceptor-cni"]);
}

#[rstest]
#[case::single("a.conf", r#"{"type": "istio-cni", "name": "istio-cni", "cniVersion": "0.3.1"}"#)]
#[case::our_own(
    "a.conf",
    r#"{"type": "interceptor-cni", "name": "interceptor-cni", "cniVersion": "0.3.1"}"#
)]
#[case::list(
    "a.conflist",
    r#"{"name": "a", "plugins": [{"type": "istio-cni"}, {"type": "interceptor-cni"}]}"#
)]
fn a_file_that_makes_no_network_gets_no_entry(#[case] name: &str, #[case] text: &str) {
    let node = Node::with(&[(name, text), ("b.conflist", LIST)]);
    node.installs_into(CHAINED, "b.conflist");
    assert_eq!(node.text(name), text);
}

#[test]
fn a_list_of_our_own_has_all_plugins_and_leaves_the_primary_list_alone() {
    let node = Node::with(&[("10-pods.conflist", LIST)]);
    set_mode(&node.net("10-pods.conflist"), 0o644);
    node.installs_into(own_list(), OWN);
    assert_eq!(types(&node.json(OWN)), ["bridge", "portmap", "interceptor-cni"]);
    assert_eq!(node.text("10-pods.conflist"), LIST);
    assert_eq!((mode(&node.net(OWN)), mode(&node.net("10-pods.conflist"))), (0o600, 0o644));
    node.installation(own_list()).uninstall().unwrap();
    assert_eq!(node.names(), ["10-pods.conflist"]);
    assert_eq!(node.text("10-pods.conflist"), LIST);
}

#[test]
fn a_list_of_our_own_can_be_made_of_a_single_plugin() {
    let node = Node::with(&[("10-pods.conf", SINGLE)]);
    node.installs_into(own_list(), OWN);
    assert_eq!(types(&node.json(OWN)), ["bridge", "interceptor-cni"]);
    assert_eq!(node.names(), [OWN, "10-pods.conf"]);
}

#[test]
fn a_list_of_our_own_follows_the_primary_list() {
    let node = Node::with(&[("10-pods.conflist", LIST)]);
    node.installs_into(own_list(), OWN);
    node.write("10-pods.conflist", &LIST.replace("bridge", "ptp"));
    assert_eq!(
        node.installation(own_list()).check().unwrap(),
        Standing::Lost { file: node.net(OWN) }
    );
    node.installs_into(own_list(), OWN);
    assert_eq!(types(&node.json(OWN)), ["ptp", "portmap", "interceptor-cni"]);
}

#[test]
fn a_list_of_our_own_that_does_not_come_first_is_refused() {
    let node = Node::with(&[("01-pods.conflist", LIST)]);
    let error = node.refuses(own_list()).to_string();
    assert!(error.contains("01-pods.conflist comes before it"), "{error}");
}

#[rstest]
#[case::own_list(own_list(), OWN)]
#[case::standalone(Layout::Standalone { name: "own.conf".to_owned() }, "own.conf")]
fn a_file_of_others_is_not_overwritten(#[case] layout: Layout, #[case] name: &str) {
    for text in [LIST, SINGLE, "{}", "no JSON"] {
        let node = Node::with(&[("10-pods.conflist", LIST), (name, text)]);
        let error = node.refuses(layout.clone());
        assert!(
            matches!(&error, InstallError::Occupied { path } if *path == node.net(name)),
            "{error}"
        );
    }
}

#[test]
fn a_list_of_istios_own_is_replaced_if_it_shall() {
    let own = "02-istio-cni.conflist";
    let node = Node::with(&[("10-pods.conflist", LIST), (own, WITH_ISTIO)]);
    let mut installation = node.installation(Layout::OwnList { name: own.to_owned(), file: None });
    installation.replace_istio_cni = true;
    installation.install().unwrap();
    assert_eq!(types(&node.json(own)), ["bridge", "portmap", "interceptor-cni"]);
}
