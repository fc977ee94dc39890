// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command `interceptor-inject`, which people start as `interceptor inject`.

use std::process::ExitCode;

fn main() -> ExitCode {
    interceptor_inject::cli::run(std::env::args_os())
}
