// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether pods can be enrolled here, and if not, why not. It enrolls none to find out.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use interceptor::{Fitness, Node};

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

impl Health {
    pub(crate) fn new(bpffs: PathBuf, pods: Pods, installer: Option<Installer>, kernel: Arc<Kernel>) -> Self {
        Self { bpffs, pods, installer, listening: Arc::default(), kernel }
    }

    pub(crate) fn set_listening(&self) {
        self.listening.store(true, Ordering::Relaxed);
    }

    /// Everything that is in the way. Nothing is, if this node is ready.
    pub(crate) fn obstacles(&self) -> Vec<String> {
        let kernel = match (self.kernel.known(), self.kernel.on_unsupported()) {
            (None, _) => Some("the kernel is still being tried".to_owned()),
            (Some(Fitness::Fit), _) | (Some(Fitness::Lacking(_)), OnUnsupported::Iptables | OnUnsupported::Skip) => {
                None
            }
            (Some(Fitness::Lacking(why)), OnUnsupported::Fail) => Some(format!("the kernel lacks something: {why}")),
            (Some(Fitness::Untold(why)), _) => Some(format!("whether the kernel lacks something is not known: {why}")),
        };
        let bpffs = Node::open(&self.bpffs).err().map(|error| error.to_string());
        let listening = self.listening.load(Ordering::Relaxed);
        let listening = (!listening).then(|| "the socket is not there yet".to_owned());
        let pods =
            (!self.pods.is_synced()).then(|| "the API server has not listed the pods of this node yet".to_owned());
        let plugin = self.installer.as_ref().and_then(Installer::obstacle);
        [kernel, bpffs, listening, pods, plugin].into_iter().flatten().collect()
    }
}
