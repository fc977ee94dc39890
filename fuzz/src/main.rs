// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The fuzzer: libFuzzer around one of the targets, which `INTERCEPTOR_FUZZ_TARGET` names. `cargo xtask fuzz` starts
//! it.

#![no_main]

use std::{env, sync::OnceLock};

use interceptor::fuzzing::Target;
use interceptor_fuzz::targets;
use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<&'static Target> = OnceLock::new();

fn target() -> &'static Target {
    TARGET.get_or_init(|| {
        let name = env::var("INTERCEPTOR_FUZZ_TARGET").unwrap_or_default();
        let found = targets().find(|target| target.name == name);
        found.unwrap_or_else(|| panic!("INTERCEPTOR_FUZZ_TARGET={name}: there is no such target"))
    })
}

fuzz_target!(|data: &[u8]| (target().read)(data));
