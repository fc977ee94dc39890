// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds promtool, and says how to get it: out of Debian's package `prometheus`, into cargo's target directory. The
//! package is not installed, because that would start a server.

use std::path::{Path, PathBuf};

use super::method::{InstallMethod, UPDATE};
use super::system::System;

/// The program, and its directory in cargo's target directory. The tests look there.
const PROGRAM: &str = "promtool";

/// Where the program is, or should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Promtool {
    pub(crate) directory: PathBuf,
    pub(crate) is_there: bool,
}

impl Promtool {
    pub(crate) fn find(target_dir: &Path) -> Self {
        let directory = target_dir.join(PROGRAM);
        Self { is_there: directory.join(PROGRAM).is_file(), directory }
    }

    pub(crate) fn found(&self) -> Option<String> {
        self.is_there.then(|| self.directory.join(PROGRAM).display().to_string())
    }

    pub(crate) fn lack(&self) -> String {
        format!("no {PROGRAM} in {}", self.directory.display())
    }

    /// `apt-get download` needs no root, if the lists of packages are there.
    pub(super) fn methods(&self, system: System, root: bool) -> Vec<InstallMethod> {
        if system != System::Debian {
            return Vec::new();
        }
        let directory = self.directory.display();
        let update = root.then(|| UPDATE.to_owned());
        let commands = [
            format!("mkdir -p '{directory}'"),
            format!("cd '{directory}' && apt-get download prometheus"),
            format!(
                "cd '{directory}' && dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x --strip-components=3 \
                 ./usr/bin/{PROGRAM}"
            ),
            format!("rm '{directory}'/prometheus_*.deb"),
        ];
        let commands = update.into_iter().chain(commands).collect();
        vec![InstallMethod { name: "from Debian, into the target directory".into(), commands, automatic: true }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_unpacked_where_it_is_looked_for() {
        let promtool = Promtool::find(Path::new("/no/target"));
        assert_eq!(promtool.found(), None);
        assert_eq!(promtool.lack(), "no promtool in /no/target/promtool");
        let commands = promtool.methods(System::Debian, false).remove(0).commands;
        assert!(
            commands.iter().all(|line| line.contains("'/no/target/promtool'")),
            "{commands:?}"
        );
        assert_eq!(promtool.methods(System::Debian, true)[0].commands[0], UPDATE);
        assert!(promtool.methods(System::Fedora, true).is_empty());
    }
}
