// SPDX-License-Identifier: Apache-2.0 OR MIT
//! By what a pod's connections are redirected on this node. The kernel is tried once, because it does not change while
//! this process lives.

use std::{path::PathBuf, sync::OnceLock};

use clap::ValueEnum;
use interceptor::Fitness;
use interceptor_config::DataPath;

/// What a pod gets on a node whose kernel lacks what the kernel programs need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnUnsupported {
    /// An error: it does not start
    #[default]
    Fail,
    /// Istio's rules of iptables
    Iptables,
    /// Nothing: its traffic passes its sidecar by
    Skip,
}

/// What is decided for a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Programs,
    /// Why not by programs.
    Rules(String),
    /// Why not at all.
    Skip(String),
}

/// This node's kernel, and what to do if it lacks something.
#[derive(Debug)]
pub(crate) struct Kernel {
    bpffs: PathBuf,
    on_unsupported: OnUnsupported,
    tried: OnceLock<Fitness>,
}

impl Kernel {
    pub(crate) const fn new(bpffs: PathBuf, on_unsupported: OnUnsupported) -> Self {
        Self { bpffs, on_unsupported, tried: OnceLock::new() }
    }

    pub(crate) const fn on_unsupported(&self) -> OnUnsupported {
        self.on_unsupported
    }

    /// Says that pods are enrolled, so nothing is lacking.
    pub(crate) fn set_fit(&self) {
        self.tried.get_or_init(|| Fitness::Fit);
    }

    /// What is known already.
    pub(crate) fn known(&self) -> Option<&Fitness> {
        self.tried.get()
    }

    /// Tries everything that pods need, if nobody has. It blocks, and takes a second or more.
    pub(crate) fn tried(&self) -> &Fitness {
        self.tried.get_or_init(|| {
            let tried = Fitness::of(&self.bpffs);
            match (&tried, self.on_unsupported) {
                (Fitness::Fit, _) => {}
                (Fitness::Lacking(why), OnUnsupported::Iptables) => {
                    tracing::warn!("pods get rules of iptables, because this node's kernel lacks something: {why}");
                }
                (Fitness::Lacking(why), OnUnsupported::Skip) => {
                    tracing::warn!("pods are not intercepted, because this node's kernel lacks something: {why}");
                }
                (Fitness::Lacking(why) | Fitness::Untold(why), _) => {
                    tracing::error!("this node cannot intercept pods; `interceptor check` says more: {why}");
                }
            }
            tried
        })
    }

    /// Decides for a pod that asks for this. It may block as [`Self::tried`] does.
    pub(crate) fn choose(&self, wanted: DataPath) -> Choice {
        let fallback = match wanted {
            DataPath::Iptables => return Choice::Rules("the pod asks for it".to_owned()),
            DataPath::Auto => OnUnsupported::Iptables,
            DataPath::Ebpf => self.on_unsupported,
        };
        // The error of an attempt says most of what is lacking.
        if fallback == OnUnsupported::Fail {
            return Choice::Programs;
        }
        match (self.tried(), fallback) {
            (Fitness::Lacking(why), OnUnsupported::Iptables) => Choice::Rules(lacks(why)),
            (Fitness::Lacking(why), OnUnsupported::Skip) => Choice::Skip(lacks(why)),
            _ => Choice::Programs,
        }
    }
}

fn lacks(why: &str) -> String {
    format!("this node's kernel lacks something: {why}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn rules(why: &str) -> Choice {
        Choice::Rules(why.to_owned())
    }

    #[rstest]
    #[case::fit(Fitness::Fit, OnUnsupported::Iptables, DataPath::Ebpf, Choice::Programs)]
    #[case::fit_and_the_pod_may_have_either(Fitness::Fit, OnUnsupported::Skip, DataPath::Auto, Choice::Programs)]
    #[case::the_pod_asks(Fitness::Fit, OnUnsupported::Fail, DataPath::Iptables, rules("the pod asks for it"))]
    #[case::fails(lacking(), OnUnsupported::Fail, DataPath::Ebpf, Choice::Programs)]
    #[case::rules(lacking(), OnUnsupported::Iptables, DataPath::Ebpf, rules(WHY))]
    #[case::skips(lacking(), OnUnsupported::Skip, DataPath::Ebpf, Choice::Skip(WHY.to_owned()))]
    #[case::the_pod_may_have_either(lacking(), OnUnsupported::Fail, DataPath::Auto, rules(WHY))]
    #[case::untold_is_no_reason(
        Fitness::Untold("a".to_owned()), OnUnsupported::Skip, DataPath::Ebpf, Choice::Programs
    )]
    fn kernel_node_and_pod_decide(
        #[case] tried: Fitness,
        #[case] on_unsupported: OnUnsupported,
        #[case] wanted: DataPath,
        #[case] expected: Choice,
    ) {
        let kernel = Kernel::new(PathBuf::new(), on_unsupported);
        kernel.tried.set(tried).unwrap();
        assert_eq!(kernel.choose(wanted), expected);
    }

    const WHY: &str = "this node's kernel lacks something: btf: no";

    fn lacking() -> Fitness {
        Fitness::Lacking("btf: no".to_owned())
    }
}
