// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Acceleration: what asks for it, and what it makes of a policy.

use interceptor_policy::PolicyFlags;
use rstest::rstest;

use super::*;
use crate::AccelerationConfig;

const DEFAULT_BUDGET: u32 = 1024 * 1024;
const ON: Option<AccelerationConfig> = Some(AccelerationConfig::with_budget(DEFAULT_BUDGET));
const FORCED: Option<AccelerationConfig> =
    Some(AccelerationConfig { force: true, ..AccelerationConfig::with_budget(DEFAULT_BUDGET) });

#[rstest]
#[case::default(&[], &[], None)]
#[case::flag(&["--accelerate"], &[], ON)]
#[case::variable(&[], &[("INTERCEPTOR_ACCELERATE", "1")], ON)]
#[case::empty_variable(&[], &[("INTERCEPTOR_ACCELERATE", "")], None)]
#[case::flag_over_variable(&["--accelerate=false"], &[("INTERCEPTOR_ACCELERATE", "true")], None)]
#[case::force(&["--force-accelerate"], &[], FORCED)]
#[case::budget(
    &["--accelerate", "--accelerate-budget", "131072"],
    &[],
    Some(AccelerationConfig::with_budget(131_072))
)]
#[case::budget_alone(&["--accelerate-budget", "131072"], &[], None)]
#[case::empty_budget_variable(&["--accelerate"], &[("INTERCEPTOR_ACCELERATE_BUDGET", "")], ON)]
fn precedence(#[case] args: &[&str], #[case] variables: &[(&str, &str)], #[case] wanted: Option<AccelerationConfig>) {
    assert_eq!(resolve(args, variables).unwrap().0.acceleration, wanted);
}

#[rstest]
#[case::switch(&[], &[("INTERCEPTOR_ACCELERATE", "maybe")], "--accelerate (INTERCEPTOR_ACCELERATE): `maybe`")]
#[case::too_little(
    &["--accelerate-budget", "4096"],
    &[],
    "--accelerate-budget (INTERCEPTOR_ACCELERATE_BUDGET): `4096`"
)]
#[case::too_much(
    &["--accelerate-budget", "9999999999"],
    &[],
    "--accelerate-budget (INTERCEPTOR_ACCELERATE_BUDGET): `9999999999`"
)]
#[case::no_number(
    &[],
    &[("INTERCEPTOR_ACCELERATE_BUDGET", "1M")],
    "--accelerate-budget (INTERCEPTOR_ACCELERATE_BUDGET): `1M`"
)]
fn bad_values_are_named(#[case] args: &[&str], #[case] variables: &[(&str, &str)], #[case] named: &str) {
    let message = resolve(args, variables).unwrap_err().to_string();
    assert!(message.starts_with(named), "{message}");
}

#[test]
fn a_policy_is_accelerated_if_it_is_asked_for() {
    let plain = policy(&["--accelerate-budget", "131072"], &[]).policy;
    assert_eq!((plain.has(PolicyFlags::ACCELERATE), plain.accelerate_budget), (false, 0));
    let accelerated = policy(&["--accelerate", "--accelerate-budget", "131072"], &[]).policy;
    assert_eq!(
        (accelerated.has(PolicyFlags::ACCELERATE), accelerated.accelerate_budget),
        (true, 131_072)
    );
}
