// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command `interceptor-agent`, which people start as `interceptor agent`.

use std::process::ExitCode;

fn main() -> ExitCode {
    interceptor_agent::main()
}
