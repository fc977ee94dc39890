// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Kernels on which a socket in a socket map can lose data or bring the machine down, by their release.
//!
//! The data path here is: `bpf_msg_redirect_hash` into the receiving socket's queue, no corking, no `apply_bytes`, no stream parser, no
//! entry that is ever replaced. Faults outside of it are not listed here; what matters beside faults, the trial finds.

use std::fmt;

/// A kernel's version: `6.18.44` of `6.18.44-generic`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Release(u32, u32, u32);

impl Release {
    /// From what `uname -r` says. A missing third number is zero.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(|letter: char| !(letter.is_ascii_digit() || letter == '.')).next()?;
        let mut numbers = numbers.split('.').map(str::parse);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(Self(major, minor, numbers.next().and_then(Result::ok).unwrap_or_default()))
    }
}

/// A fault, and the releases that repaired it.
#[derive(Debug)]
pub(super) struct Fault {
    id: &'static str,
    what: &'static str,
    /// In ascending order. A series without an entry is repaired if it is younger than the last one.
    repaired: &'static [Release],
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, what, repaired } = self;
        let releases: Vec<String> = repaired.iter().map(|Release(a, b, c)| format!("{a}.{b}.{c}")).collect();
        write!(f, "{id}, {what} (repaired in {})", releases.join(", "))
    }
}

impl Fault {
    fn is_in(&self, release: Release) -> bool {
        let Release(major, minor, _) = release;
        match self.repaired.iter().find(|repaired| (repaired.0, repaired.1) == (major, minor)) {
            Some(repaired) => release < *repaired,
            None => self.repaired.last().is_some_and(|last| release < *last),
        }
    }
}

/// The faults that a kernel of this release has.
pub(super) fn faults_of(release: Release) -> impl Iterator<Item = &'static Fault> {
    FAULTS.iter().filter(move |fault| fault.is_in(release))
}

/// From the kernel's own CVE records (<https://git.kernel.org/pub/scm/linux/security/vulns.git>).
const FAULTS: &[Fault] = &[
    Fault {
        id: "CVE-2023-52735",
        what: "closing a socket in a socket map may recurse until the stack overflows",
        repaired: &[Release(5, 15, 95), Release(6, 1, 13), Release(6, 2, 0)],
    },
    Fault {
        id: "CVE-2024-56633",
        what: "memory is miscounted when a redirected message is sent in part",
        repaired: &[Release(5, 15, 174), Release(6, 1, 120), Release(6, 6, 66), Release(6, 12, 5), Release(6, 13, 0)],
    },
];

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("6.18.44", Some(Release(6, 18, 44)))]
    #[case::distribution("6.1.0-32-cloud-amd64", Some(Release(6, 1, 0)))]
    #[case::candidate("6.19-rc1", Some(Release(6, 19, 0)))]
    #[case::plus("6.12.94+deb13-amd64", Some(Release(6, 12, 94)))]
    #[case::nonsense("Linux", None)]
    fn releases(#[case] text: &str, #[case] release: Option<Release>) {
        assert_eq!(Release::parse(text), release);
    }

    #[rstest]
    #[case::before_the_repair("6.1.119", &["CVE-2024-56633"])]
    #[case::repaired_in_its_series("6.1.120", &[])]
    #[case::series_that_was_never_repaired("6.8.12", &["CVE-2024-56633"])]
    #[case::both("6.1.12", &["CVE-2023-52735", "CVE-2024-56633"])]
    #[case::younger_than_all("6.18.44", &[])]
    fn faults(#[case] release: &str, #[case] ids: &[&str]) {
        let found: Vec<&str> = faults_of(Release::parse(release).unwrap()).map(|fault| fault.id).collect();
        assert_eq!(found, ids);
    }
}
