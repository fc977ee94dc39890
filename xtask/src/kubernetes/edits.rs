// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Changes to kubelet's source. Pods run without them: they make deletion quick, and admit a node whose cgroup2
//! hierarchy has no controllers.
//!
//! A text that is not there exactly once is an error, so no change is lost without a word.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

struct Edit {
    file: &'static str,
    from: &'static str,
    to: &'static str,
}

const EDITS: [Edit; 4] = [
    // A pod that has been deleted stays until its containers are collected and its status is reported: for up to 47 s.
    Edit {
        file: "pkg/kubelet/kubelet.go",
        from: "ContainerGCPeriod = time.Minute",
        to: "ContainerGCPeriod = 5 * time.Second",
    },
    Edit {
        file: "pkg/kubelet/status/status_manager.go",
        from: "syncPeriod = 10 * time.Second",
        to: "syncPeriod = time.Second",
    },
    // Turning a controller on in the root of cgroup2 takes it from the whole machine's cgroup1.
    Edit {
        file: "pkg/kubelet/cm/cgroup_manager_linux.go",
        from: "supportedControllers := sets.NewString(\"cpu\", \"cpuset\", \"memory\", \"hugetlb\", \"pids\")",
        to: "supportedControllers := sets.NewString(\"cpu\", \"cpuset\", \"memory\", \"pids\")",
    },
    // Limits are written only where there are files for them.
    Edit {
        file: "pkg/kubelet/cm/cgroup_manager_linux.go",
        from: "\tmanager, err := cgroupfs2.NewManager(cgroupConfig,",
        to: "\tif limits := cgroupConfig.Resources; !supportedControllers.Has(\"memory\") {\n\
             \t\tlimits.CpuShares, limits.CpuWeight, limits.CpuQuota, limits.CpuPeriod = 0, 0, 0, 0\n\
             \t\tlimits.Memory, limits.PidsLimit = 0, 0\n\
             \t}\n\
             \tmanager, err := cgroupfs2.NewManager(cgroupConfig,",
    },
];

pub(super) fn apply(source: &Path) -> Result<()> {
    for Edit { file, from, to } in &EDITS {
        let path = source.join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let edited = replaced(&text, from, to).with_context(|| format!("cannot change {}", path.display()))?;
        fs::write(&path, edited).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn replaced(text: &str, from: &str, to: &str) -> Result<String> {
    match text.matches(from).count() {
        1 => Ok(text.replacen(from, to, 1)),
        count => bail!("{from:?} is there {count} times instead of once"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_replaced_only_where_it_is_unique() {
        assert_eq!(replaced("a b", "b", "c").unwrap(), "a c");
        for text in ["a", "b b"] {
            assert!(
                replaced(text, "b", "c").unwrap_err().to_string().contains("instead of once"),
                "{text}"
            );
        }
    }
}
