// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a verb knows.

use crate::{call::Call, cgroup::Wanted, config::Config, log::Log};

pub(crate) struct Plugin<'a> {
    pub(crate) config: &'a Config<'a>,
    pub(crate) log: &'a Log,
}

/// Of a verb that is about one attachment.
pub(crate) struct Attached<'a> {
    pub(crate) plugin: &'a Plugin<'a>,
    pub(crate) call: &'a Call,
}

impl<'a> Attached<'a> {
    /// Whose cgroup it is.
    pub(crate) fn cgroup(&self) -> Wanted<'a> {
        let Self { plugin, call } = self;
        Wanted {
            cgroup_path: plugin.config.cgroup_path.as_deref(),
            uid: call.pod.as_ref().and_then(|pod| pod.uid.as_ref()),
            root: plugin.config.cgroup_root.as_deref(),
            container_id: &call.container_id,
            run_dir: &plugin.config.run_dir,
        }
    }
}
