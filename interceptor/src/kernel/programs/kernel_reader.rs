// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether programs may read the kernel's memory. Where the kernel is locked down for confidentiality, the verifier
//! refuses the helper. This file attaches nothing.

use crate::kernel::sys::{self, Instruction};

/// Tries it, with a program that is never run.
///
/// In C: `u64 place; bpf_probe_read_kernel(&place, 8, NULL); return SK_PASS;`
pub(crate) fn is_allowed() -> bool {
    const PROBE_READ_KERNEL: i32 = 113; // `enum bpf_func_id`
    const SK_PASS: i32 = 1;
    const R10: u8 = 10 << 4; // as the source
    let program = [
        Instruction::new(MOV_X, R10 | 1, 0, 0),
        Instruction::new(ADD_K, 1, 0, -8),
        Instruction::new(MOV_K, 2, 0, 8),
        Instruction::new(MOV_K, 3, 0, 0),
        Instruction::new(CALL, 0, 0, PROBE_READ_KERNEL),
        Instruction::new(MOV_K, 0, 0, SK_PASS),
        Instruction::new(EXIT, 0, 0, 0),
    ];
    sys::bpf_prog_load_sk_lookup(c"kernel_reader", &program).is_ok()
}

// See <https://docs.kernel.org/bpf/standardization/instruction-set.html>.
const ADD_K: u8 = 0x07;
const MOV_K: u8 = 0xb7;
const MOV_X: u8 = 0xbf;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
