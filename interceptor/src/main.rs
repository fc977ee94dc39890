// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command `interceptor`.

use std::process::ExitCode;

fn main() -> ExitCode {
    interceptor::cli::run(std::env::args_os())
}
