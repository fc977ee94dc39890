// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command `interceptor` with the next version of the ABI, for tests. It has a name of its own, so that building
//! it does not replace the other.

use std::process::ExitCode;

fn main() -> ExitCode {
    interceptor::cli::run(std::env::args_os())
}
