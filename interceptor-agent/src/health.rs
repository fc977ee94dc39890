// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether pods can be enrolled here, and if not, why not. It enrolls none to find out.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use interceptor::{Fitness, Node};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::gauge::ConstGauge,
};

use crate::{
    data_path::{Kernel, OnUnsupported},
    installer::Installer,
    pods::Pods,
};

/// What readiness depends on.
#[derive(Clone)]
pub(crate) struct Health {
    bpffs: PathBuf,
    pods: Pods,
    /// `None` where somebody else puts the plugin on the node.
    installer: Option<Installer>,
    listening: Arc<AtomicBool>,
    kernel: Arc<Kernel>,
}

/// What may be in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    Kernel,
    Programs,
    Bpffs,
    Socket,
    Pods,
    Plugin,
}

impl Obstacle {
    const ALL: [Self; 6] = [Self::Kernel, Self::Programs, Self::Bpffs, Self::Socket, Self::Pods, Self::Plugin];

    const fn label(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Programs => "programs",
            Self::Bpffs => "bpffs",
            Self::Socket => "socket",
            Self::Pods => "pods",
            Self::Plugin => "plugin",
        }
    }
}

impl Health {
    pub(crate) fn new(bpffs: PathBuf, pods: Pods, installer: Option<Installer>, kernel: Arc<Kernel>) -> Self {
        Self { bpffs, pods, installer, listening: Arc::default(), kernel }
    }

    pub(crate) fn set_listening(&self) {
        self.listening.store(true, Ordering::Relaxed);
    }

    /// Everything that is in the way. Nothing is, if this node is ready.
    pub(crate) fn obstacles(&self) -> Vec<String> {
        self.found().into_iter().map(|(_obstacle, why)| why).collect()
    }

    fn found(&self) -> Vec<(Obstacle, String)> {
        let kernel = match (self.kernel.known(), self.kernel.on_unsupported()) {
            (None, _) => Some("the kernel is still being tried".to_owned()),
            (Some(Fitness::Fit), _) | (Some(Fitness::Lacking(_)), OnUnsupported::Iptables | OnUnsupported::Skip) => {
                None
            }
            (Some(Fitness::Lacking(why)), OnUnsupported::Fail) => Some(format!("the kernel lacks something: {why}")),
            (Some(Fitness::Untold(why)), _) => Some(format!("whether the kernel lacks something is not known: {why}")),
        };
        let node = Node::open(&self.bpffs);
        let programs = match (self.kernel.known(), &node) {
            (Some(Fitness::Fit), Ok(node)) => without_programs(node),
            // That is in the way already, or pods get something else.
            (None | Some(Fitness::Fit | Fitness::Lacking(_) | Fitness::Untold(_)), _) => None,
        };
        let bpffs = node.err().map(|error| error.to_string());
        let listening = self.listening.load(Ordering::Relaxed);
        let listening = (!listening).then(|| "the socket is not there yet".to_owned());
        let pods =
            (!self.pods.is_synced()).then(|| "the API server has not listed the pods of this node yet".to_owned());
        let plugin = self.installer.as_ref().and_then(Installer::obstacle);
        Obstacle::ALL
            .into_iter()
            .zip([kernel, programs, bpffs, listening, pods, plugin])
            .filter_map(|(obstacle, why)| Some((obstacle, why?)))
            .collect()
    }
}

/// Why a pod would have to wait for programs.
fn without_programs(node: &Node) -> Option<String> {
    match node.is_kept() {
        Ok(true) => None,
        Ok(false) => Some("the kernel programs are not loaded yet".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// 1 for each obstacle of these, 0 for the others.
pub(crate) fn encode(encoder: &mut DescriptorEncoder<'_>, found: &[Obstacle]) -> fmt::Result {
    let kind = ConstGauge::new(0_i64).metric_type();
    let help = "1 for what keeps this agent from being ready, 0 for what does not";
    let mut family = encoder.encode_descriptor("interceptor_obstacles", help, None, kind)?;
    for obstacle in Obstacle::ALL {
        let labels = [("obstacle", obstacle.label())];
        ConstGauge::new(i64::from(found.contains(&obstacle))).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

impl Collector for Health {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let found: Vec<Obstacle> = self.found().into_iter().map(|(obstacle, _why)| obstacle).collect();
        encode(&mut encoder, &found)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("bpffs", &self.bpffs).finish_non_exhaustive()
    }
}
