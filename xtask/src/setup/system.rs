// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whose packages this system has. Only reads the text that it is given.

/// Whose package manager this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Debian,
    Fedora,
    Arch,
    Other,
}

impl System {
    pub(super) fn from_os_release(text: &str) -> Self {
        let fields = text
            .lines()
            .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")));
        let ids: Vec<_> = fields.flat_map(|value| value.trim_matches('"').split(' ')).collect();
        match () {
            () if ids.contains(&"debian") => Self::Debian,
            () if ids.contains(&"fedora") => Self::Fedora,
            () if ids.contains(&"arch") => Self::Arch,
            () => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_are_known_by_their_family() {
        let of = System::from_os_release;
        assert_eq!(of("NAME=\"Debian\"\nID=debian\n"), System::Debian);
        assert_eq!(of("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), System::Debian);
        assert_eq!(of("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"), System::Fedora);
        assert_eq!(of("ID=arch\n"), System::Arch);
        assert_eq!(of("VERSION_ID=debian\n"), System::Other);
    }
}
