// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Real Envoys, configured as Istio configures them: under this program they log the same as under Istio's iptables rules.

mod compare;
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
    let stories: [(&str, Story, &[Variant]); 1] = [("traffic_is_logged_alike", traffic::is_logged_alike, &everywhere)];
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
