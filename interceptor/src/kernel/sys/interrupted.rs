// SPDX-License-Identifier: Apache-2.0 OR MIT
//! System calls that go on after a signal has interrupted them. The kernel repeats many by itself, but never `poll()`,
//! and no call on a socket with a time limit ([signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)).

use std::io::{self, ErrorKind};

/// How often a program is loaded at most. The kernel breaks off when a signal comes while the verifier is at work, and
/// asks to try again (`EAGAIN`).
const LOADS: u32 = 5;

/// Makes the call again until it is not interrupted.
pub(crate) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Loads a program, and does so again if that was interrupted, a few times.
pub(crate) fn retry_loading<T, E>(
    is_interruption: impl Fn(&E) -> bool,
    mut load: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut result = load();
    for _ in 1..LOADS {
        match result {
            Err(error) if is_interruption(&error) => result = load(),
            result => return result,
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails with `errno` so many times, and then answers how often it was called.
    fn after(failures: u32, errno: i32) -> impl FnMut() -> io::Result<u32> {
        let mut calls = 0;
        move || {
            calls += 1;
            if calls > failures {
                Ok(calls)
            } else {
                Err(io::Error::from_raw_os_error(errno))
            }
        }
    }

    fn is_again(error: &io::Error) -> bool {
        error.raw_os_error() == Some(nix::libc::EAGAIN)
    }

    #[test]
    fn a_call_is_made_until_it_is_not_interrupted() {
        assert_eq!(retry(after(100, nix::libc::EINTR)).unwrap(), 101);
        assert!(is_again(&retry(after(1, nix::libc::EAGAIN)).unwrap_err()));
    }

    #[test]
    fn a_program_is_loaded_a_few_times_and_only_after_an_interruption() {
        assert_eq!(retry_loading(is_again, after(LOADS - 1, nix::libc::EAGAIN)).unwrap(), LOADS);
        assert!(is_again(&retry_loading(is_again, after(LOADS, nix::libc::EAGAIN)).unwrap_err()));
        let refused = retry_loading(is_again, after(1, nix::libc::EACCES)).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(nix::libc::EACCES));
    }
}
