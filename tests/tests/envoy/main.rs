// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Real Envoys, configured as Istio configures them: under this program they log the same as under Istio's iptables rules.

mod black_hole;
mod bulk;
mod compare;
mod restart;
mod steps;
mod traffic;

use interceptor_tests::{
    envoy::{Binary, Variant},
    scene::Stack,
};
use libtest_mimic::{Arguments, Trial};

/// A story, told with one variant.
type Story = fn(&Variant);

fn main() {
    let arguments = Arguments::from_args();
    let everywhere: Vec<Variant> = Binary::all().iter().flat_map(|envoy| variants(envoy, &[Stack::V4, Stack::V6, Stack::Dual])).collect();
    let newest = variants(&Binary::newest(), &[Stack::V4, Stack::V6]);
    let stories: [(&str, Story, &[Variant]); 8] = [
        ("traffic_is_logged_alike", traffic::is_logged_alike, &everywhere),
        ("the_sidecars_own_ports_lead_nowhere", black_hole::the_sidecars_own_ports_lead_nowhere, &newest),
        ("a_download_is_whole", bulk::a_download_is_whole, &newest),
        ("many_requests_at_once_are_all_answered", bulk::many_requests_at_once_are_all_answered, &newest),
        ("a_killed_sidecar_is_not_bypassed", restart::a_killed_sidecar_is_not_bypassed, &newest),
        ("a_drained_sidecar_takes_no_more", restart::a_drained_sidecar_takes_no_more, &newest),
        ("a_second_sidecar_joins_the_first", restart::a_second_sidecar_joins_the_first, &newest),
        ("a_hot_restart_loses_nothing", restart::a_hot_restart_loses_nothing, &newest),
    ];
    let trials = stories.into_iter().flat_map(|(name, story, variants)| {
        variants.iter().cloned().map(move |variant| {
            Trial::test(format!("{variant}::{name}"), move || {
                story(&variant);
                Ok(())
            })
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn variants(envoy: &Binary, stacks: &[Stack]) -> Vec<Variant> {
    stacks.iter().map(|stack| Variant { envoy: envoy.clone(), stack: *stack }).collect()
}
