// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The clocks that kernel programs and the loader both read.

use std::{io, time::Duration};

use nix::libc;

/// The time since the machine started, with the time that it slept (`CLOCK_BOOTTIME`, Linux 2.6.39). Programs read it
/// by `bpf_ktime_get_boot_ns`.
pub(crate) fn time_since_start() -> io::Result<Duration> {
    read(libc::CLOCK_BOOTTIME)
}

/// The time since the machine started, without the time that it slept (`CLOCK_MONOTONIC`). Programs read it by
/// `bpf_ktime_get_ns` and `bpf_ktime_get_coarse_ns`.
pub(crate) fn time_awake() -> io::Result<Duration> {
    read(libc::CLOCK_MONOTONIC)
}

fn read(clock: libc::clockid_t) -> io::Result<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let seconds = u64::try_from(time.tv_sec).map_err(io::Error::other)?;
    let nanoseconds = u32::try_from(time.tv_nsec).map_err(io::Error::other)?;
    Ok(Duration::new(seconds, nanoseconds))
}
