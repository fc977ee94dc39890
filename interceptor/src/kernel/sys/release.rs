// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which release of kernel.org the running kernel is.
//!
//! `uname -r` is a name that its distributor gave it. Debian and Ubuntu leave the third number zero there and say
//! elsewhere which release it is; others begin with a release and add repairs of their own choice, of which no number
//! tells.

use std::{fmt, fs, io::ErrorKind};

use anyhow::{Context as _, Result};
use nix::sys::utsname::uname;

/// A release of kernel.org: 6.18.44.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release(pub(crate) u32, pub(crate) u32, pub(crate) u32);

impl Release {
    pub(crate) const fn series(self) -> (u32, u32) {
        (self.0, self.1)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(major, minor, sublevel) = self;
        write!(f, "{major}.{minor}.{sublevel}")
    }
}

/// What can be known about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// It has every repair that this release has, and maybe others.
    Release(Release),
    /// It began with the first release of this series, or with a candidate for it. What has been repaired since
    /// cannot be told.
    Series(u32, u32),
}

/// What a kernel says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// `uname -r`
    pub(crate) release: String,
    /// `uname -v`
    pub(crate) version: String,
    /// `/proc/version_signature`, which only Ubuntu's kernels have.
    pub(crate) signature: Option<String>,
}

impl Names {
    pub(crate) fn of_this_kernel() -> Result<Self> {
        const SIGNATURE: &str = "/proc/version_signature";
        let name = uname().context("Failed to ask for the kernel's release")?;
        let signature = match fs::read_to_string(SIGNATURE) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            read => Some(read.with_context(|| format!("Failed to read {SIGNATURE}"))?),
        };
        let [release, version] = [name.release(), name.version()].map(|text| text.to_string_lossy().into_owned());
        Ok(Self { release, version, signature })
    }

    /// Nothing if the names are of no known form.
    pub(crate) fn upstream(&self) -> Option<Upstream> {
        self.of_ubuntu().or_else(|| self.of_debian()).or_else(|| self.of_others())
    }

    /// `Ubuntu 5.15.0-91.101-generic 5.15.131`: the release whose repairs have all been merged.
    fn of_ubuntu(&self) -> Option<Upstream> {
        let text = self.signature.as_ref()?.split_whitespace().next_back()?;
        exact(text)
    }

    /// `#1 SMP PREEMPT_DYNAMIC Debian 6.1.129-1 (2025-03-06)`: the version of the source package, maybe behind an
    /// epoch.
    fn of_debian(&self) -> Option<Upstream> {
        let mut words = self.version.split_whitespace().skip_while(|word| *word != "Debian");
        let package = words.nth(1)?;
        exact(package.split_once(':').map_or(package, |(_epoch, version)| version))
    }

    /// A third number other than zero is the release's. Zero is the release's in a name that has nothing else, and
    /// else may be anyone's.
    fn of_others(&self) -> Option<Upstream> {
        let (numbers, rest) = numbers(&self.release);
        match *numbers.as_slice() {
            [major, minor, sublevel, ..] if sublevel > 0 || rest.is_empty() => {
                Some(Upstream::Release(Release(major, minor, sublevel)))
            }
            [major, minor, ..] => Some(Upstream::Series(major, minor)),
            _ => None,
        }
    }
}

fn exact(text: &str) -> Option<Upstream> {
    match *numbers(text).0.as_slice() {
        [major, minor, sublevel, ..] => Some(Upstream::Release(Release(major, minor, sublevel))),
        _ => None,
    }
}

/// `6.6.57.1-1.azl3` → 6, 6, 57, 1 and the rest.
fn numbers(text: &str) -> (Vec<u32>, &str) {
    let end = text
        .find(|letter: char| !(letter.is_ascii_digit() || letter == '.'))
        .unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    (numbers.split('.').map_while(|number| number.parse().ok()).collect(), rest)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn upstream(release: &str, version: &str, signature: Option<&str>) -> Option<Upstream> {
        Names {
            release: release.to_owned(),
            version: version.to_owned(),
            signature: signature.map(str::to_owned),
        }
        .upstream()
    }

    #[rstest]
    #[case::debian_12(
        "6.1.0-32-cloud-amd64",
        "#1 SMP PREEMPT_DYNAMIC Debian 6.1.129-1 (2025-03-06)",
        None,
        Release(6, 1, 129)
    )]
    #[case::debian_13(
        "6.12.94+deb13-amd64",
        "#1 SMP PREEMPT_DYNAMIC Debian 6.12.94-1 (2026-02-03)",
        None,
        Release(6, 12, 94)
    )]
    #[case::debian_backports(
        "6.12.9+bpo-amd64",
        "#1 SMP PREEMPT_DYNAMIC Debian 6.12.9-1~bpo12+1 (2025-01-19)",
        None,
        Release(6, 12, 9)
    )]
    #[case::raspberry_pi(
        "6.12.25+rpt-rpi-v8",
        "#1 SMP PREEMPT Debian 1:6.12.25-1+rpt1 (2025-04-30)",
        None,
        Release(6, 12, 25)
    )]
    #[case::ubuntu_22_04(
        "5.15.0-91-generic",
        "#101-Ubuntu SMP Tue Nov 14 13:30:08 UTC 2023",
        Some("Ubuntu 5.15.0-91.101-generic 5.15.131\n"),
        Release(5, 15, 131)
    )]
    #[case::ubuntu_on_azure(
        "6.5.0-1008-azure",
        "#8~22.04.1-Ubuntu SMP Tue Oct 31 15:36:34 UTC 2023",
        Some("Ubuntu 6.5.0-1008.8~22.04.1-azure 6.5.3\n"),
        Release(6, 5, 3)
    )]
    #[case::cos(
        "6.1.112+",
        "#1 SMP PREEMPT_DYNAMIC Sat Jan 18 11:40:21 UTC 2025",
        None,
        Release(6, 1, 112)
    )]
    #[case::amazon_linux_2023(
        "6.1.112-122.189.amzn2023.x86_64",
        "#1 SMP PREEMPT_DYNAMIC Tue Oct  8 17:02:11 UTC 2024",
        None,
        Release(6, 1, 112)
    )]
    #[case::azure_linux_3(
        "6.6.57.1-1.azl3",
        "#1 SMP PREEMPT_DYNAMIC Mon Nov  4 20:50:13 UTC 2024",
        None,
        Release(6, 6, 57)
    )]
    #[case::fedora(
        "6.11.4-301.fc41.x86_64",
        "#1 SMP PREEMPT_DYNAMIC Sun Oct 20 15:02:33 UTC 2024",
        None,
        Release(6, 11, 4)
    )]
    #[case::talos("6.6.58-talos", "#1 SMP Mon Oct 28 12:00:00 UTC 2024", None, Release(6, 6, 58))]
    #[case::plain("6.18.44", "#1 SMP PREEMPT_DYNAMIC", None, Release(6, 18, 44))]
    #[case::first_of_its_series("6.13.0", "#1 SMP PREEMPT_DYNAMIC", None, Release(6, 13, 0))]
    fn releases(
        #[case] release: &str,
        #[case] version: &str,
        #[case] signature: Option<&str>,
        #[case] expected: Release,
    ) {
        assert_eq!(upstream(release, version, signature), Some(Upstream::Release(expected)));
    }

    #[rstest]
    #[case::rhel_9("5.14.0-503.11.1.el9_5.x86_64", "#1 SMP PREEMPT_DYNAMIC Mon Sep 30 11:54:45 EDT 2024", (5, 14))]
    #[case::rhel_10("6.12.0-55.9.1.el10_0.x86_64", "#1 SMP PREEMPT_DYNAMIC Wed Apr 16 09:34:58 EDT 2025", (6, 12))]
    #[case::oracle("5.15.0-205.149.5.1.el9uek.x86_64", "#2 SMP Thu Mar 28 15:21:36 PDT 2024", (5, 15))]
    #[case::sles_15_sp6(
        "6.4.0-150600.23.25-default", "#1 SMP PREEMPT_DYNAMIC Tue Oct  1 10:54:01 UTC 2024 (ea7c56d)", (6, 4)
    )]
    #[case::ubuntu_without_its_signature(
        "6.8.0-45-generic", "#45-Ubuntu SMP PREEMPT_DYNAMIC Fri Aug 30 12:02:04 UTC 2024", (6, 8)
    )]
    #[case::debian_experimental(
        "6.12-rc6-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12~rc6-1~exp1 (2024-11-10)", (6, 12)
    )]
    #[case::candidate("6.19.0-rc1", "#1 SMP PREEMPT_DYNAMIC", (6, 19))]
    fn repairs_that_cannot_be_told(#[case] release: &str, #[case] version: &str, #[case] (major, minor): (u32, u32)) {
        assert_eq!(upstream(release, version, None), Some(Upstream::Series(major, minor)));
    }

    #[rstest]
    #[case::words("Linux")]
    #[case::one_number("6")]
    #[case::too_large("6.99999999999")]
    #[case::nothing("")]
    fn names_of_no_known_form(#[case] release: &str) {
        assert_eq!(upstream(release, "", None), None);
    }

    /// The compiler that `/proc/version` names is Debian's, too.
    #[test]
    fn a_debian_compiler_makes_no_debian_kernel() {
        let version = "#1 SMP gcc (Debian 12.2.0-14) 12.2.0";
        assert_eq!(upstream("6.6.58", version, None), Some(Upstream::Release(Release(6, 6, 58))));
    }
}
