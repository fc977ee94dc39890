// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    interceptor_cni::main()
}
