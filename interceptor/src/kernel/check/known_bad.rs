// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Kernels on which a socket in a socket map can lose data or bring the machine down, by their release.
//!
//! The data path here is: `bpf_msg_redirect_hash` into the receiving socket's queue, no corking, no `apply_bytes`, no
//! stream parser, no entry that is ever replaced. Faults outside of it are not listed here; what matters beside faults,
//! the trial finds.

use std::fmt;

use anyhow::{Context as _, Result, bail};

use crate::kernel::sys::release::{Names, Release, Upstream};

/// Whether this kernel has a fault depends on repairs of which its names say nothing.
#[derive(Debug, thiserror::Error)]
#[error(
    "Cannot tell whether Linux {release} has known faults in socket maps: it began with Linux {}.{}, and its names do not say what its \
     distributor has repaired since. Ask the distributor for {faults}",
    series.0,
    series.1
)]
pub(crate) struct CannotTell {
    release: String,
    series: (u32, u32),
    faults: String,
}

/// Fails unless a kernel of these names has none of the faults; with [`CannotTell`] if it may have some.
pub(crate) fn judge(names: &Names) -> Result<()> {
    let Names { release, .. } = names;
    let upstream = names
        .upstream()
        .with_context(|| format!("The kernel's release `{release}` does not begin with two numbers"))?;
    let faults: Vec<String> = FAULTS
        .iter()
        .filter(|fault| fault.may_be_in(upstream))
        .map(ToString::to_string)
        .collect();
    if faults.is_empty() {
        return Ok(());
    }
    let faults = faults.join("; ");
    match upstream {
        Upstream::Release(exact) => bail!(
            "Linux {release} has the repairs of Linux {exact}, and with that known faults in socket maps, unless its distributor has \
             repaired them: {faults}"
        ),
        Upstream::Series(major, minor) => {
            bail!(CannotTell { release: release.clone(), series: (major, minor), faults })
        }
    }
}

/// A fault, and the releases that repaired it.
#[derive(Debug)]
struct Fault {
    id: &'static str,
    what: &'static str,
    /// In ascending order. A series without an entry is repaired if it is younger than the last one.
    repaired: &'static [Release],
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, what, repaired } = self;
        let releases: Vec<String> = repaired.iter().map(ToString::to_string).collect();
        write!(f, "{id}, {what} (repaired in {})", releases.join(", "))
    }
}

impl Fault {
    fn may_be_in(&self, upstream: Upstream) -> bool {
        let older_than_all = |release: Release| self.repaired.last().is_some_and(|last| release < *last);
        match upstream {
            Upstream::Release(release) => {
                match self.repaired.iter().find(|repaired| repaired.series() == release.series()) {
                    Some(repaired) => release < *repaired,
                    None => older_than_all(release),
                }
            }
            // What a series has from its beginning, all of its kernels have; candidates for its first release may not.
            Upstream::Series(major, minor) => self.repaired.last().is_some_and(|last| (major, minor) <= last.series()),
        }
    }
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

    const BOTH: &[&str] = &["CVE-2023-52735", "CVE-2024-56633"];
    const LATER: &[&str] = &["CVE-2024-56633"];

    fn possible(upstream: Upstream) -> Vec<&'static str> {
        FAULTS
            .iter()
            .filter(|fault| fault.may_be_in(upstream))
            .map(|fault| fault.id)
            .collect()
    }

    #[rstest]
    #[case::before_the_repair(Release(6, 1, 119), LATER)]
    #[case::repaired_in_its_series(Release(6, 1, 120), &[])]
    #[case::series_that_was_never_repaired(Release(6, 8, 12), LATER)]
    #[case::both(Release(6, 1, 12), BOTH)]
    #[case::younger_than_all(Release(6, 18, 44), &[])]
    fn faults_of_a_release(#[case] release: Release, #[case] ids: &[&str]) {
        assert_eq!(possible(Upstream::Release(release)), ids);
    }

    #[rstest]
    #[case::repaired_later((6, 1), BOTH)]
    #[case::never_repaired((5, 14), BOTH)]
    #[case::repaired_before_it_began((6, 4), LATER)]
    #[case::candidates_may_lack_it((6, 13), LATER)]
    #[case::younger_than_all((6, 14), &[])]
    fn faults_that_a_series_may_have(#[case] (major, minor): (u32, u32), #[case] ids: &[&str]) {
        assert_eq!(possible(Upstream::Series(major, minor)), ids);
    }

    fn judged(release: &str, version: &str) -> anyhow::Error {
        judge(&Names { release: release.to_owned(), version: version.to_owned(), signature: None }).unwrap_err()
    }

    #[test]
    fn a_fault_is_told_from_a_possible_one() {
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
