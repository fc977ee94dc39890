// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The pods of a whole run: made once for each choice of addresses, and used again for every configuration.

use testkit::{
    Node,
    flow::Flow,
    istio::{Config, Iptables},
    scene::Stack,
};

use super::twins::{Difference, Twins};

/// The choices of addresses that are compared.
pub const fn stacks() -> &'static [Stack] {
    &[Stack::V4, Stack::V6, Stack::Dual]
}

pub struct Lab<'node> {
    node: &'node Node,
    iptables: Iptables,
    twins: Vec<(Stack, Twins<'node>)>,
    configurations: usize,
    flows: usize,
}

impl<'node> Lab<'node> {
    pub fn new(node: &'node Node, iptables: Iptables) -> Self {
        Self { node, iptables, twins: Vec::new(), configurations: 0, flows: 0 }
    }

    /// In what the flows differ; an error when one of the sides does not take the configuration.
    pub fn compare(&mut self, config: &Config, flows: &[Flow]) -> Result<Vec<Difference>, String> {
        let index = self
            .twins
            .iter()
            .position(|(stack, _)| *stack == config.stack)
            .unwrap_or_else(|| {
                self.twins
                    .push((config.stack, Twins::new(self.node, self.iptables, config.stack)));
                self.twins.len() - 1
            });
        self.configurations += 1;
        self.flows += flows.len();
        self.twins[index]
            .1
            .compare(config, flows)
            .map_err(|error| format!("{config}\n{error}"))
    }

    /// How many configurations were put in force.
    pub fn configurations(&self) -> usize {
        self.configurations
    }

    /// How many flows were compared.
    pub fn flows(&self) -> usize {
        self.flows
    }
}
