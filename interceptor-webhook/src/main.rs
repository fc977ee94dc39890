// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command `interceptor-webhook`, which people start as `interceptor webhook`.

use std::process::ExitCode;

fn main() -> ExitCode {
    interceptor_webhook::main()
}
