// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Known kernel bugs that make a socket in a socket map lose data or crash the machine, and the releases that fixed
//! them. Nothing is tested here.
//!
//! Only bugs in the data path of this program are listed: `bpf_msg_redirect_hash` into the receiving socket's queue,
//! without corking, `apply_bytes` or a stream parser, and no entry is ever replaced.

use std::fmt;

use anyhow::{Context as _, Result, bail};

use crate::kernel::sys::release::{Names, Release, Upstream};

/// The kernel's distributor backports fixes without changing the version number, so the release does not tell whether
/// the kernel has a bug.
#[derive(Debug, thiserror::Error)]
#[error(
    "Cannot tell whether Linux {release} has known socket map bugs: it is based on Linux {}.{}, and its version does \
     not say which fixes its distributor has added. Ask the distributor about {bugs}",
    series.0,
    series.1
)]
pub(crate) struct CannotTell {
    release: String,
    series: (u32, u32),
    bugs: String,
}

/// Succeeds for a kernel that has none of the bugs. The error is [`CannotTell`] if the kernel may have some.
pub(crate) fn judge(names: &Names) -> Result<()> {
    let Names { release, .. } = names;
    let upstream = names
        .upstream()
        .with_context(|| format!("The kernel's release `{release}` does not begin with two numbers"))?;
    let bugs: Vec<String> = BUGS
        .iter()
        .filter(|bug| bug.may_be_in(upstream))
        .map(ToString::to_string)
        .collect();
    if bugs.is_empty() {
        return Ok(());
    }
    let bugs = bugs.join("; ");
    match upstream {
        Upstream::Release(exact) => bail!(
            "Linux {release} is based on Linux {exact}, which has known socket map bugs: {bugs}. They may be fixed \
             here, if the distributor has added the fixes"
        ),
        Upstream::Series(major, minor) => {
            bail!(CannotTell { release: release.clone(), series: (major, minor), bugs })
        }
    }
}

/// A bug, and the releases that fixed it.
#[derive(Debug)]
struct Bug {
    id: &'static str,
    what: &'static str,
    /// In ascending order. A series without an entry has the fix if it is younger than the last one.
    fixed: &'static [Release],
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, what, fixed } = self;
        let releases: Vec<String> = fixed.iter().map(ToString::to_string).collect();
        write!(f, "{id}, {what} (fixed in {})", releases.join(", "))
    }
}

impl Bug {
    fn may_be_in(&self, upstream: Upstream) -> bool {
        let older_than_all = |release: Release| self.fixed.last().is_some_and(|last| release < *last);
        match upstream {
            Upstream::Release(release) => match self.fixed.iter().find(|fixed| fixed.series() == release.series()) {
                Some(fixed) => release < *fixed,
                None => older_than_all(release),
            },
            // A fix that a series has from its first release is in all of its kernels. A candidate for that release
            // may lack the fix.
            Upstream::Series(major, minor) => self.fixed.last().is_some_and(|last| (major, minor) <= last.series()),
        }
    }
}

/// From the kernel's own CVE records (<https://git.kernel.org/pub/scm/linux/security/vulns.git>).
const BUGS: &[Bug] = &[
    Bug {
        id: "CVE-2023-52735",
        what: "closing a socket in a socket map may recurse until the stack overflows",
        fixed: &[Release(5, 15, 95), Release(6, 1, 13), Release(6, 2, 0)],
    },
    Bug {
        id: "CVE-2024-56633",
        what: "memory is miscounted when a redirected message is sent in part",
        fixed: &[Release(5, 15, 174), Release(6, 1, 120), Release(6, 6, 66), Release(6, 12, 5), Release(6, 13, 0)],
    },
];

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const BOTH: &[&str] = &["CVE-2023-52735", "CVE-2024-56633"];
    const LATER: &[&str] = &["CVE-2024-56633"];

    fn possible(upstream: Upstream) -> Vec<&'static str> {
        BUGS.iter().filter(|bug| bug.may_be_in(upstream)).map(|bug| bug.id).collect()
    }

    #[rstest]
    #[case::before_the_fix(Release(6, 1, 119), LATER)]
    #[case::fixed_in_its_series(Release(6, 1, 120), &[])]
    #[case::series_that_was_never_fixed(Release(6, 8, 12), LATER)]
    #[case::both(Release(6, 1, 12), BOTH)]
    #[case::younger_than_all(Release(6, 18, 44), &[])]
    fn bugs_of_a_release(#[case] release: Release, #[case] ids: &[&str]) {
        assert_eq!(possible(Upstream::Release(release)), ids);
    }

    #[rstest]
    #[case::fixed_later((6, 1), BOTH)]
    #[case::never_fixed((5, 14), BOTH)]
    #[case::fixed_before_it_began((6, 4), LATER)]
    #[case::candidates_may_lack_it((6, 13), LATER)]
    #[case::younger_than_all((6, 14), &[])]
    fn bugs_that_a_series_may_have(#[case] (major, minor): (u32, u32), #[case] ids: &[&str]) {
        assert_eq!(possible(Upstream::Series(major, minor)), ids);
    }

    fn judged(release: &str, version: &str) -> anyhow::Error {
        judge(&Names { release: release.to_owned(), version: version.to_owned(), signature: None }).unwrap_err()
    }

    #[test]
    fn a_bug_is_told_from_a_possible_one() {
        let has = judged("6.1.0-28-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 (2024-11-22)");
        assert!(!has.is::<CannotTell>() && has.to_string().contains("6.1.119"), "{has}");
        let may_have = judged(
            "6.12.0-55.9.1.el10_0.x86_64",
            "#1 SMP PREEMPT_DYNAMIC Wed Apr 16 09:34:58 EDT 2025",
        );
        assert!(
            may_have.is::<CannotTell>() && may_have.to_string().contains("CVE-2024-56633"),
            "{may_have}"
        );
    }
}
