// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program that is attached to a pod's network namespace, in front of `on_sk_lookup`.
//!
//! `sk_lookup` programs cannot ask for the cookie of their network namespace. So each pod has one of its own that knows
//! it; and because to verify the whole decision anew for each pod would take longer than everything else, all that it
//! does is to say which pod it stands for, and to call the shared program.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, OwnedFd},
    path::Path,
};

use anyhow::{Context as _, Result};
use aya::maps::{Map, MapData, MapError, ProgramArray};

use crate::kernel::sys::{self, Instruction};

/// Loads the program of the pod with this cookie, given the maps `LOOKUP_CALLER` and `LOOKUP_PROGS`. Linux 5.9; needs
/// `CAP_PERFMON`, because it notes the address of its context.
pub(crate) fn load(netns_cookie: u64, callers: BorrowedFd<'_>, steering: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    sys::bpf_prog_load_sk_lookup(c"lookup_stub", &program(netns_cookie, callers, steering))
}

/// Takes the shared program out of the map `LOOKUP_PROGS` in `maps`, if there is one, once the last lookup_stub is
/// gone.
///
/// The kernel empties it too, when nobody has it open any more. But if meanwhile a program lists the maps of the
/// machine, and so opens and closes this one, the kernel never frees it (seen on Linux 6.18, at every try; never with a
/// map that is empty already).
pub(crate) fn clear_tail_call_target(maps: &Path) -> Result<()> {
    let path = maps.join("LOOKUP_PROGS");
    if !path.exists() {
        return Ok(()); // another version's, or removed already
    }
    sys::wait_for_programs().context("Failed to wait for running programs (membarrier)")?;
    let map = MapData::from_pin(&path)
        .and_then(Map::from_map_data)
        .and_then(ProgramArray::try_from);
    let mut steering = map.with_context(|| format!("Failed to open the map {}", path.display()))?;
    match steering.clear_index(&0) {
        Err(MapError::SyscallError(error)) if error.io_error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.with_context(|| format!("Failed to empty the map {}", path.display())),
    }
}

/// In C:
///
/// ```c
/// struct caller *caller = bpf_map_lookup_elem(&LOOKUP_CALLER, &(u32){0});
/// if (caller) {
///     caller->netns_cookie = NETNS_COOKIE;
///     caller->context = (u64)ctx;
///     bpf_tail_call(ctx, &LOOKUP_PROGS, 0); // does not return
/// }
/// return SK_DROP; // the shared program is missing, and nothing else can tell what may pass
/// ```
fn program(netns_cookie: u64, callers: BorrowedFd<'_>, steering: BorrowedFd<'_>) -> [Instruction; 19] {
    use Register::{R0, R1, R2, R3, R6, R10};
    const KEY: i16 = -4; // of the stack
    const NETNS_COOKIE: i16 = 0; // of `Caller`
    const CONTEXT: i16 = 8;
    const MAP_LOOKUP_ELEM: i32 = 1; // `enum bpf_func_id`
    const TAIL_CALL: i32 = 12;
    const SK_DROP: i32 = 0;

    let [cookie_low, cookie_high] = load_wide(R1, 0, netns_cookie);
    let [callers_low, callers_high] = load_map(R1, callers);
    let [steering_low, steering_high] = load_map(R2, steering);
    [
        copy(R6, R1),
        Instruction::new(ST_W, R10 as u8, KEY, 0),
        callers_low,
        callers_high,
        copy(R2, R10),
        Instruction::new(ADD_K, R2 as u8, 0, KEY.into()),
        Instruction::new(CALL, 0, 0, MAP_LOOKUP_ELEM),
        Instruction::new(JEQ_K, R0 as u8, 9, 0), // to the end
        cookie_low,
        cookie_high,
        store(R0, NETNS_COOKIE, R1),
        store(R0, CONTEXT, R6),
        copy(R1, R6),
        steering_low,
        steering_high,
        Instruction::new(MOV_K, R3 as u8, 0, 0),
        Instruction::new(CALL, 0, 0, TAIL_CALL),
        Instruction::new(MOV_K, R0 as u8, 0, SK_DROP),
        Instruction::new(EXIT, 0, 0, 0),
    ]
}

/// Registers, see <https://docs.kernel.org/bpf/standardization/instruction-set.html>, as are the operations below.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Register {
    R0 = 0,
    R1 = 1,
    R2 = 2,
    R3 = 3,
    R6 = 6,
    R10 = 10,
}

const LD_DW: u8 = 0x18;
const ST_W: u8 = 0x62;
const STX_DW: u8 = 0x7b;
const ADD_K: u8 = 0x07;
const MOV_K: u8 = 0xb7;
const MOV_X: u8 = 0xbf;
const JEQ_K: u8 = 0x15;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

fn registers(destination: Register, source: u8) -> u8 {
    source << 4 | destination as u8
}

fn copy(to: Register, from: Register) -> Instruction {
    Instruction::new(MOV_X, registers(to, from as u8), 0, 0)
}

fn store(base: Register, offset: i16, value: Register) -> Instruction {
    Instruction::new(STX_DW, registers(base, value as u8), offset, 0)
}

/// A constant of 64 bits takes two instructions.
#[expect(clippy::cast_possible_truncation, reason = "its two halves")]
fn load_wide(to: Register, kind: u8, value: u64) -> [Instruction; 2] {
    let half = |bits: u64| (bits as u32).cast_signed();
    [
        Instruction::new(LD_DW, registers(to, kind), 0, half(value)),
        Instruction::new(0, 0, 0, half(value >> 32)),
    ]
}

fn load_map(to: Register, map: BorrowedFd<'_>) -> [Instruction; 2] {
    const BPF_PSEUDO_MAP_FD: u8 = 1;
    load_wide(to, BPF_PSEUDO_MAP_FD, map.as_raw_fd().unsigned_abs().into())
}
