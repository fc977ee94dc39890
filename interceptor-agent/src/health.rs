// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether pods can be enrolled here, and if not, why not. It enrolls none to find out.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use interceptor::{Answer, Node, features};

use crate::{installer::Installer, pods::Pods};

/// What readiness depends on.
#[derive(Clone)]
pub(crate) struct Health {
    bpffs: PathBuf,
    pods: Pods,
    /// `None` where somebody else puts the plugin on the node.
    installer: Option<Installer>,
    listening: Arc<AtomicBool>,
    kernel: Arc<Mutex<Kernel>>,
}

/// Whether this kernel can do what every pod needs.
enum Kernel {
    Unknown,
    Fit,
    Unfit(String),
}

impl Health {
    pub(crate) fn new(bpffs: PathBuf, pods: Pods, installer: Option<Installer>) -> Self {
        Self {
            bpffs,
            pods,
            installer,
            listening: Arc::default(),
            kernel: Arc::new(Mutex::new(Kernel::Unknown)),
        }
    }

    pub(crate) fn set_listening(&self) {
        self.listening.store(true, Ordering::Relaxed);
    }

    /// Says that this kernel is known to have what pods need.
    pub(crate) fn set_fit(&self) {
        *self.kernel.lock().unwrap_or_else(PoisonError::into_inner) = Kernel::Fit;
    }

    /// Tries everything that pods need of the kernel. It blocks, and takes a second or more.
    pub(crate) fn try_kernel(&self) {
        let lacking: Vec<String> = features::needed(&self.bpffs)
            .into_iter()
            .filter_map(|feature| match feature.answer {
                Answer::Yes => None,
                Answer::No(why) | Answer::Unknown(why) | Answer::Forbidden(why) => {
                    Some(format!("{}: {why}", feature.name))
                }
            })
            .collect();
        let kernel = if lacking.is_empty() { Kernel::Fit } else { Kernel::Unfit(lacking.join("; ")) };
        if let Kernel::Unfit(why) = &kernel {
            tracing::error!("this node cannot intercept pods; `interceptor check` says more: {why}");
        }
        *self.kernel.lock().unwrap_or_else(PoisonError::into_inner) = kernel;
    }

    /// Everything that is in the way. Nothing is, if this node is ready.
    pub(crate) fn obstacles(&self) -> Vec<String> {
        let kernel = match &*self.kernel.lock().unwrap_or_else(PoisonError::into_inner) {
            Kernel::Unknown => Some("the kernel is still being tried".to_owned()),
            Kernel::Fit => None,
            Kernel::Unfit(why) => Some(format!("the kernel lacks something: {why}")),
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
