// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command `interceptor-agent`.

fn main() {}
