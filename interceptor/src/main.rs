// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command `interceptor`: hands its arguments to the library's command line, and does nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    interceptor::cli::run(std::env::args_os())
}
