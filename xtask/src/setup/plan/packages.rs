// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The commands of package managers. Composes them, and runs none.

use crate::setup::facts::Facts;
use crate::setup::method::{InstallMethod, UPDATE};
use crate::setup::needed::Item;
use crate::setup::system::System;

/// The packages that hold this item, or `None` when this program does not know the system's package manager.
pub(super) fn packages(item: &Item, facts: &Facts) -> Option<InstallMethod> {
    let packages = match facts.system {
        System::Debian => item.debian,
        System::Fedora => item.fedora,
        System::Arch => item.arch,
        System::Other => return None,
    };
    install(packages, facts)
}

/// Only Debian's packages are installed without asking, because only they are tested.
pub(super) fn install(packages: &str, facts: &Facts) -> Option<InstallMethod> {
    let sudo = if facts.root { "" } else { "sudo " };
    let (name, commands) = match facts.system {
        System::Debian => (
            "with packages of Debian or Ubuntu",
            vec![
                format!("{sudo}{UPDATE}"),
                format!("{sudo}DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {packages}"),
            ],
        ),
        System::Fedora => ("with packages of Fedora", vec![format!("{sudo}dnf install -y {packages}")]),
        System::Arch => (
            "with packages of Arch Linux",
            vec![format!("{sudo}pacman -S --needed {packages}")],
        ),
        System::Other => return None,
    };
    Some(InstallMethod {
        name: name.into(),
        commands,
        automatic: facts.root && facts.system == System::Debian,
    })
}

/// Whether a command has to succeed only once, whatever is installed after it.
pub(crate) fn is_preparation(line: &str) -> bool {
    line.ends_with(UPDATE)
}
