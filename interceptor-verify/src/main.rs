// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command `interceptor-verify`, which people start as `interceptor verify`.

use std::process::ExitCode;

fn main() -> ExitCode {
    interceptor_verify::command::main()
}
