// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The capabilities of this thread. It changes none.

use std::{fs, io};

/// A capability, by its number in
/// [`capability.h`](https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/capability.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capability {
    pub(crate) name: &'static str,
    number: u32,
}

pub(crate) const CAP_BPF: Capability = Capability { name: "CAP_BPF", number: 39 };
pub(crate) const CAP_NET_ADMIN: Capability = Capability { name: "CAP_NET_ADMIN", number: 12 };
pub(crate) const CAP_PERFMON: Capability = Capability { name: "CAP_PERFMON", number: 38 };
/// Whoever has this one needs none of the others to load programs.
const CAP_SYS_ADMIN: Capability = Capability { name: "CAP_SYS_ADMIN", number: 21 };

/// Which of these capabilities this thread lacks, in the order in which they are given.
pub(crate) fn lacking<const N: usize>(wanted: [Capability; N]) -> io::Result<Vec<&'static str>> {
    let status = fs::read_to_string("/proc/thread-self/status")?;
    let effective = effective(&status).ok_or(io::ErrorKind::InvalidData)?;
    let has = |capability: Capability| effective & (1 << capability.number) != 0;
    let missing = wanted.into_iter().filter(|capability| !has(*capability) && !has(CAP_SYS_ADMIN));
    Ok(missing.map(|capability| capability.name).collect())
}

fn effective(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_ones_are_read() {
        assert_eq!(effective("CapPrm:\tff\nCapEff:\t000001c000001000\n"), Some(0x1c0_0000_1000));
        assert_eq!(effective("CapPrm:\tff\n"), None);
    }
}
