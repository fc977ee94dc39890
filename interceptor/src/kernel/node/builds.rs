// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which builds of the programs are attached to pods. After an upgrade that was interrupted, that can be two.

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::kernel::{
    node::layout::Layout,
    programs::{build::Build, table::SK_LOOKUP},
    sys,
};

/// The builds of all programs that are pinned on a node, by the kernel's number of the program.
pub(crate) struct Builds(HashMap<String, Build>);

impl Builds {
    /// Looks at every directory of programs.
    pub(crate) fn read(layouts: &[Layout]) -> Result<Self> {
        let mut builds = HashMap::new();
        for programs in layouts.iter().flat_map(Layout::all_programs) {
            if let Some(build) = Build::of(&programs)? {
                for pin in pins(&programs)? {
                    builds.extend(program_of(&pin)?.map(|program| (program, build.clone())));
                }
            }
        }
        Ok(Self(builds))
    }

    /// The builds of the programs that are attached to a pod and to its cgroup. A link whose program is not pinned
    /// any more counts as none of them.
    pub(crate) fn of_pod(&self, layout: &Layout, netns_cookie: u64, cgroup_id: u64) -> Result<BTreeSet<Build>> {
        let mut found = BTreeSet::new();
        for link in pins(&layout.pod(netns_cookie))?
            .into_iter()
            .chain(pins(&layout.cgroup(cgroup_id))?)
        {
            // The pod's stub is made for the pod, by whatever build.
            if !link.ends_with(SK_LOOKUP.name) {
                found.extend(program_of(&link)?.and_then(|program| self.0.get(&program).cloned()));
            }
        }
        Ok(found)
    }
}

/// The kernel's number of a program, or of the program of a link. `None` if the pin is gone.
fn program_of(pin: &Path) -> Result<Option<String>> {
    match sys::bpf_obj_get(pin) {
        Ok(descriptor) => sys::fdinfo(&descriptor, "prog_id"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("Failed to open {}", pin.display())),
    }
}

/// Everything that is pinned in a directory. A directory that is not there is empty.
pub(crate) fn pins(directory: &Path) -> Result<Vec<PathBuf>> {
    let listed = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect()),
    };
    listed.with_context(|| format!("Failed to list {}", directory.display()))
}
