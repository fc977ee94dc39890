// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The network namespaces of pods by the numbers by which the kernel names them. A number says no more than where to
//! look: the kernel gives it to another namespace when its own is gone.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use interceptor::Netns;

/// The sandboxes of pods, by the numbers of their network namespaces.
#[derive(Debug, Default)]
pub(crate) struct Numbers(Mutex<HashMap<i32, String>>);

impl Numbers {
    /// Gives the namespace a number, so that the kernel tells what changes in it. Without one, nothing is heard. It
    /// blocks.
    pub(crate) fn note(&self, netns: &Netns, sandbox: &str) {
        match netns.number() {
            Ok(number) => {
                self.lock().insert(number, sandbox.to_owned());
            }
            Err(error) => tracing::warn!(
                sandbox,
                "Failed to find out by which number the kernel tells of changes in the pod's network; they are found \
                 by looking now and then: {error}"
            ),
        }
    }

    /// The sandbox whose namespace has, or had, this number.
    pub(crate) fn sandbox(&self, number: i32) -> Option<String> {
        self.lock().get(&number).cloned()
    }

    /// Whether a sandbox was noted.
    pub(crate) fn has(&self, sandbox: &str) -> bool {
        self.lock().values().any(|of| of == sandbox)
    }

    pub(crate) fn forget(&self, sandbox: &str) {
        self.lock().retain(|_, of| of != sandbox);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
