// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is done for a pod before anything is changed: its network is read, and its policy compiled.

use interceptor_config::{CompiledPolicy, Guard, Wanted, compile, unknown_interfaces};
use interceptor_policy::PolicyFlags;

use crate::{
    Cgroup, EnrollError, Enrolled,
    kernel::{
        check,
        enroll::{
            plan::{Leftovers, Request},
            steps::Plan,
        },
        node::bpffs::Bpffs,
        pod::{facts, loopback, netns::Netns},
    },
};

/// The policy of a pod, compiled for its network as it was a moment ago. It changes nothing by itself.
#[derive(Clone, Debug)]
pub struct Prepared {
    netns_cookie: u64,
    policy: CompiledPolicy,
    unguarded: Option<String>,
    unknown_interfaces: Vec<String>,
    force: bool,
    force_acceleration: bool,
}

impl Prepared {
    /// Reads what the policy depends on, and compiles it.
    pub(crate) fn read(bpffs: &Bpffs, netns: &Netns, wanted: &Wanted) -> Result<Self, EnrollError> {
        let facts = facts::read(netns)?;
        let config = wanted.config();
        let mut policy = compile(wanted, &facts)?;
        #[cfg(feature = "mutants")]
        {
            policy.policy.padding = mutant()?;
        }
        loopback::carries_ipv4(netns)?;
        let unguarded = without_guard(bpffs, netns, config.guard, &mut policy)?;
        let unknown = unknown_interfaces(&config.interfaces.excluded, &facts);
        Ok(Self {
            netns_cookie: netns.cookie(),
            policy,
            unguarded,
            unknown_interfaces: unknown.into_iter().map(ToString::to_string).collect(),
            force: config.run.force_apply,
            force_acceleration: config.acceleration.is_some_and(|acceleration| acceleration.force),
        })
    }

    /// Runs something with the request for this pod.
    pub(crate) fn run(
        &self,
        netns: &Netns,
        cgroup: &Cgroup,
        run: impl FnOnce(Request<'_>) -> anyhow::Result<Plan>,
    ) -> Result<Enrolled, EnrollError> {
        if netns.cookie() != self.netns_cookie {
            return Err(anyhow::anyhow!("The policy of another pod was prepared").into());
        }
        let plan = run(Request {
            netns,
            cgroup,
            policy: &self.policy,
            force: self.force,
            force_acceleration: self.force_acceleration,
            enrolled_only: false,
            leftovers: Leftovers::Collected,
        })?;
        Ok(Enrolled {
            plan,
            unknown_interfaces: self.unknown_interfaces.clone(),
            unguarded: self.unguarded.clone(),
        })
    }
}

/// Which wrong decision the kernel programs of this test build are to make; none without the variable.
#[cfg(feature = "mutants")]
fn mutant() -> anyhow::Result<u32> {
    const VARIABLE: &str = "INTERCEPTOR_MUTANT";
    use anyhow::Context as _;
    let number = std::env::var(VARIABLE).unwrap_or_else(|_unset| "0".to_owned());
    number.parse().with_context(|| format!("{VARIABLE}={number} is no number"))
}

/// Takes the guard out of the policy if this kernel cannot guard, and says why. An error if the guard was asked for.
fn without_guard(
    bpffs: &Bpffs,
    netns: &Netns,
    wanted: Guard,
    policy: &mut CompiledPolicy,
) -> Result<Option<String>, EnrollError> {
    let fit = match wanted {
        Guard::Off => return Ok(None),
        Guard::Auto | Guard::On => check::guard::gate(bpffs, netns),
    };
    match fit {
        Ok(()) => Ok(None),
        Err(error) if wanted == Guard::On => Err(EnrollError::GuardUnfit(error)),
        Err(error) => {
            policy.policy.flags = policy.policy.flags.without(PolicyFlags::GUARD);
            Ok(Some(format!("{error:#}")))
        }
    }
}
