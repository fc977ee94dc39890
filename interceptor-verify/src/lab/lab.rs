// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The pods of a whole run: made once for each choice of addresses, and used again for every configuration.

use anyhow::Context as _;

use super::{
    outcome::{Difference, Outcome},
    twins::Twins,
};
use crate::{
    Scratch, Stack,
    flow::Flow,
    istio::{Config, Iptables, Tools},
};

/// The choices of addresses that are compared.
pub const fn stacks() -> &'static [Stack] {
    &[Stack::V4, Stack::V6, Stack::Dual]
}

pub struct Lab<'scratch> {
    scratch: &'scratch Scratch,
    tools: Tools,
    twins: Vec<(Stack, Twins<'scratch>)>,
    configurations: usize,
    flows: usize,
}

impl<'scratch> Lab<'scratch> {
    /// Fails where this machine lacks that iptables.
    pub fn new(scratch: &'scratch Scratch, iptables: Iptables) -> anyhow::Result<Self> {
        Ok(Self::with(scratch, iptables.find()?))
    }

    /// With programs that have been found.
    pub const fn with(scratch: &'scratch Scratch, tools: Tools) -> Self {
        Self { scratch, tools, twins: Vec::new(), configurations: 0, flows: 0 }
    }

    /// Puts a configuration in force on both sides. What the flows to be tried with it need is made in both pods.
    pub fn configure(&mut self, config: &Config, flows: &[Flow]) -> anyhow::Result<InForce<'_, 'scratch>> {
        let known = self.twins.iter().position(|(stack, _)| *stack == config.stack);
        let index = if let Some(index) = known {
            index
        } else {
            let twins = Twins::new(self.scratch, self.tools.clone(), config.stack).context("make the two pods")?;
            self.twins.push((config.stack, twins));
            self.twins.len() - 1
        };
        self.configurations += 1;
        let twins = &mut self.twins[index].1;
        twins.reach(config, flows)?;
        twins.configure(config).with_context(|| config.to_string())?;
        Ok(InForce { twins, config: config.clone(), flows: &mut self.flows })
    }

    /// In what the flows differ; an error when one of the sides does not take the configuration.
    pub fn compare(&mut self, config: &Config, flows: &[Flow]) -> anyhow::Result<Vec<Difference>> {
        // The lists and the generator know the addresses that there are.
        let mut in_force = self.configure(config, &[])?;
        let mut differences = Vec::new();
        for flow in flows {
            if let Outcome::Differs(difference) = in_force.compare(flow)? {
                differences.push(*difference);
            }
        }
        Ok(differences)
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

/// A configuration that is in force on both sides.
pub struct InForce<'lab, 'scratch> {
    twins: &'lab mut Twins<'scratch>,
    config: Config,
    flows: &'lab mut usize,
}

impl InForce<'_, '_> {
    /// Carries out a flow on both sides.
    pub fn compare(&mut self, flow: &Flow) -> anyhow::Result<Outcome> {
        *self.flows += 1;
        self.twins.compare(&self.config, flow)
    }
}
