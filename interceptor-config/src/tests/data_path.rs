// SPDX-License-Identifier: Apache-2.0 OR MIT
//! By what connections are redirected: what asks for it, and what has no effect then.

use rstest::rstest;

use super::*;
use crate::DataPath;

#[rstest]
#[case::default(&[], &[], DataPath::Ebpf)]
#[case::flag(&["--data-path", "iptables"], &[], DataPath::Iptables)]
#[case::flag_with_an_equals_sign(&["--data-path=auto"], &[], DataPath::Auto)]
#[case::variable(&[], &[("INTERCEPTOR_DATA_PATH", "auto")], DataPath::Auto)]
#[case::empty_variable(&[], &[("INTERCEPTOR_DATA_PATH", "")], DataPath::Ebpf)]
#[case::flag_over_variable(&["--data-path=ebpf"], &[("INTERCEPTOR_DATA_PATH", "iptables")], DataPath::Ebpf)]
fn precedence(#[case] args: &[&str], #[case] variables: &[(&str, &str)], #[case] wanted: DataPath) {
    assert_eq!(resolve(args, variables).unwrap().0.data_path, wanted);
}

#[test]
fn a_pod_can_ask_for_it_by_an_annotation() {
    let annotated = |value: &str| from_sources(&[], &[], Some(&[("interceptor.dev/data-path", value)]), "");
    assert_eq!(annotated("iptables").unwrap().0.data_path, DataPath::Iptables);
    let message = annotated("rules").unwrap_err().to_string();
    assert_eq!(
        message,
        "interceptor.dev/data-path: `rules` is not a value for it; write ebpf, iptables or auto"
    );
}

#[test]
fn a_bad_value_is_named() {
    let message = resolve(&["--data-path=nft"], &[]).unwrap_err().to_string();
    assert!(
        message.starts_with("--data-path (INTERCEPTOR_DATA_PATH): `nft`") && message.contains("ebpf, iptables or auto"),
        "{message}"
    );
}

#[rstest]
#[case::no_rules(&["--force-iptables-binary=nft", "--drop-invalid"], 2)]
#[case::rules(&["--data-path=iptables", "--force-iptables-binary=nft", "--drop-invalid"], 0)]
#[case::rules_accelerate_nothing(&["--data-path=iptables", "--accelerate"], 1)]
#[case::rules_see_everything(&["--data-path=iptables", "--guard=on"], 1)]
#[case::either_may_have_an_effect(&["--data-path=auto", "--accelerate", "--force-iptables-binary=nft"], 0)]
#[case::no_rules_of_nftables(&["--data-path=iptables", "--native-nftables"], 1)]
fn what_the_other_data_path_acts_on_gets_a_note(#[case] args: &[&str], #[case] notes: usize) {
    let (_config, warnings) = resolve(args, &[]).unwrap();
    assert_eq!(warnings.len(), notes, "{warnings:?}");
}

#[test]
fn a_pod_that_gets_rules_after_all_is_told_what_has_no_effect() {
    let (config, _warnings) = resolve(&["--data-path=auto", "--accelerate"], &[]).unwrap();
    let wanted = config.supported().unwrap().by_iptables();
    assert_eq!(wanted.config().data_path, DataPath::Iptables);
    assert_eq!(wanted.notes().len(), 1, "{:?}", wanted.notes());
}
