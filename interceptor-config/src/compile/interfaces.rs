// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interfaces that are left alone (`-c`): which they are, and which destinations are reached through them. Nothing
//! here judges the names.

use crate::{
    error::ConfigError,
    pod::{InterfaceFacts, PodFacts, RouteFacts, Way},
    settings::Setting,
};

/// The excluded interfaces that the pod has.
pub(super) struct Excluded {
    indices: Vec<u32>,
    loopback: bool,
}

impl Excluded {
    /// Resolves interface names. A trailing `+` is a prefix match, as in iptables. Fails if the pod's routing depends
    /// on more than the destination.
    pub(super) fn of(names: &[String], facts: &PodFacts) -> Result<Self, ConfigError> {
        let excluded = facts
            .interfaces
            .iter()
            .filter(|interface| names.iter().any(|name| matches(name, &interface.name)));
        let (loopback, indices) = excluded.fold((false, Vec::new()), |(loopback, mut indices), interface| {
            indices.push(interface.index);
            (loopback || is_loopback(interface), indices)
        });
        let this = Self { indices, loopback };
        if this.indices.is_empty() {
            return Ok(this);
        }
        let setting = Setting::ExcludeInterfaces;
        if let Some(rule) = facts.rules.first() {
            return Err(ConfigError::RoutedByMoreThanDestination { setting, rule: rule.clone() });
        }
        if let Some(RouteFacts { address, prefix_len, .. }) =
            facts.routes.iter().find(|route| this.takes(&route.way).is_none())
        {
            return Err(ConfigError::RoutedBothWays { setting, route: format!("{address}/{prefix_len}") });
        }
        Ok(this)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    pub(super) fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// Whether connections that go this way pass through an excluded interface. `None` for a route with several next
    /// hops, if only some of them are excluded.
    pub(super) fn takes(&self, way: &Way) -> Option<bool> {
        match way {
            Way::Local => Some(self.loopback),
            Way::Nowhere(_) => Some(false),
            Way::Out(interfaces) | Way::Many(interfaces) => {
                let excluded = interfaces.iter().filter(|index| self.indices.contains(index)).count();
                if excluded == 0 {
                    Some(false)
                } else {
                    (excluded == interfaces.len()).then_some(true)
                }
            }
        }
    }
}

/// The names that no interface of the pod has. Istio's rules would match such an interface as soon as it appears. A
/// compiled policy does not, and must be compiled again.
pub fn unknown_interfaces<'a>(names: &'a [String], facts: &PodFacts) -> Vec<&'a str> {
    let unknown = |name: &&String| !facts.interfaces.iter().any(|interface| matches(name, &interface.name));
    names.iter().filter(unknown).map(String::as_str).collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern
        .strip_suffix('+')
        .map_or(pattern == name, |start| name.starts_with(start))
}

fn is_loopback(interface: &InterfaceFacts) -> bool {
    interface.index == interceptor_policy::LOOPBACK_INTERFACE
}
