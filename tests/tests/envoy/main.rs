// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Real Envoys, configured as Istio configures them: under this program they log the same as under Istio's iptables
//! rules.

mod black_hole;
mod bulk;
mod compare;
mod restart;
mod steps;
mod traffic;

use libtest_mimic::{Arguments, Trial};
use testkit::{
    envoy::{Binary, Case, Mode, Variant},
    scene::Stack,
};

/// A story, told in one case.
type Story = fn(&Case);

fn main() {
    let arguments = Arguments::from_args();
    let all = [Stack::V4, Stack::V6, Stack::Dual];
    let newest = |mode, stacks: &[Stack]| cases(&Binary::newest(), mode, stacks);
    let everywhere: Vec<Case> = Binary::all()
        .iter()
        .flat_map(|envoy| cases(envoy, Mode::Redirect, &all))
        .collect();
    let accelerated = |mode, stack| Case { accelerate: true, ..newest(mode, &[stack]).remove(0) };
    let tproxy = newest(Mode::Tproxy, &all);
    let redirect = newest(Mode::Redirect, &[Stack::V4, Stack::V6]);
    let both_accelerated = vec![accelerated(Mode::Redirect, Stack::Dual), accelerated(Mode::Tproxy, Stack::Dual)];
    let traffic = [everywhere, tproxy.clone(), both_accelerated.clone()].concat();
    let black_hole = [redirect.clone(), tproxy, both_accelerated].concat();
    // One family suffices for what the families have in common.
    let rest = [redirect, newest(Mode::Tproxy, &[Stack::V4]), vec![accelerated(Mode::Redirect, Stack::V4)]].concat();
    let stories: [(&str, Story, &[Case]); 8] = [
        ("traffic_is_logged_alike", traffic::is_logged_alike, &traffic),
        (
            "the_sidecars_own_ports_lead_nowhere",
            black_hole::the_sidecars_own_ports_lead_nowhere,
            &black_hole,
        ),
        ("a_download_is_whole", bulk::a_download_is_whole, &rest),
        (
            "many_requests_at_once_are_all_answered",
            bulk::many_requests_at_once_are_all_answered,
            &rest,
        ),
        (
            "a_killed_sidecar_is_not_bypassed",
            restart::a_killed_sidecar_is_not_bypassed,
            &rest,
        ),
        (
            "a_drained_sidecar_takes_no_more",
            restart::a_drained_sidecar_takes_no_more,
            &rest,
        ),
        (
            "a_second_sidecar_joins_the_first",
            restart::a_second_sidecar_joins_the_first,
            &rest,
        ),
        ("a_hot_restart_loses_nothing", restart::a_hot_restart_loses_nothing, &rest),
    ];
    let trials = stories.into_iter().flat_map(|(name, story, cases)| {
        cases.iter().cloned().map(move |case| {
            Trial::test(format!("{case}::{name}"), move || {
                story(&case);
                Ok(())
            })
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn cases(envoy: &Binary, mode: Mode, stacks: &[Stack]) -> Vec<Case> {
    stacks
        .iter()
        .map(|stack| Case {
            variant: Variant { envoy: envoy.clone(), stack: *stack },
            mode,
            accelerate: false,
        })
        .collect()
}
