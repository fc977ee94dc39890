// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guard: what asks for it, and what it makes of a policy.

use interceptor_policy::PolicyFlags;
use rstest::rstest;

use super::*;
use crate::Guard;

#[rstest]
#[case::default(&[], &[], Guard::Auto)]
#[case::flag(&["--guard", "off"], &[], Guard::Off)]
#[case::flag_with_an_equals_sign(&["--guard=on"], &[], Guard::On)]
#[case::variable(&[], &[("INTERCEPTOR_GUARD", "off")], Guard::Off)]
#[case::empty_variable(&[], &[("INTERCEPTOR_GUARD", "")], Guard::Auto)]
#[case::flag_over_variable(&["--guard=auto"], &[("INTERCEPTOR_GUARD", "off")], Guard::Auto)]
fn precedence(#[case] args: &[&str], #[case] variables: &[(&str, &str)], #[case] wanted: Guard) {
    assert_eq!(resolve(args, variables).unwrap().0.guard, wanted);
}

#[rstest]
#[case::default(&[], true)]
#[case::on(&["--guard=on"], true)]
#[case::off(&["--guard=off"], false)]
fn a_policy_is_guarded_unless_that_is_switched_off(#[case] args: &[&str], #[case] guarded: bool) {
    assert_eq!(policy(args, &[]).policy.has(PolicyFlags::GUARD), guarded);
}

#[test]
fn a_bad_value_is_named() {
    let message = resolve(&["--guard=true"], &[]).unwrap_err().to_string();
    assert!(
        message.starts_with("--guard (INTERCEPTOR_GUARD): `true`") && message.contains("auto, on or off"),
        "{message}"
    );
}
