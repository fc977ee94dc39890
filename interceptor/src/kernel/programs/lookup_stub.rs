// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The stub of a pod: a small program in front of `on_sk_lookup`, attached to the pod's network namespace.
//!
//! `sk_lookup` programs cannot ask for the cookie of their network namespace. So each pod has a stub that knows the
//! cookie. The stub notes the cookie and makes a tail call to the shared program. It decides nothing. (One instance
//! of the whole program for each pod would work too, but the verifier would need a hundred times as long for each
//! pod.)

use std::{
    ffi::CStr,
    fs::File,
    io,
    os::fd::{AsRawFd as _, BorrowedFd, OwnedFd},
    path::Path,
};

use anyhow::{Context as _, Result};
use aya::{
    maps::{Map, MapData, ProgramArray},
    programs::{ProgramInfo, loaded_programs},
};
use interceptor_policy::maps;

use crate::kernel::{
    programs::table::SK_LOOKUP,
    sys::{self, Instruction, map_error::absent_is_fine},
};

/// The map of the tail call, and its name up to ABI version 9.
const TAIL_CALL_MAPS: [&str; 2] = [maps::LOOKUP_PROGS.as_str(), "STEERING"];

/// What the kernel calls it.
const NAME: &CStr = c"lookup_stub";

/// Loads the stub of the pod with this cookie, given the maps `LOOKUP_CALLER` and `LOOKUP_PROGS`. Linux 5.9. Needs
/// `CAP_PERFMON`, because the stub stores the address of its context.
pub(crate) fn load(netns_cookie: u64, caller: BorrowedFd<'_>, programs: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    sys::bpf_prog_load_sk_lookup(NAME, &program(netns_cookie, caller, programs))
}

/// Whether a network namespace has a stub, whoever holds it. A program that cannot be looked at counts as one.
pub(crate) fn is_attached(netns: &File) -> io::Result<bool> {
    let mut ids = sys::bpf_prog_query(netns, SK_LOOKUP.attach_type as u32)?;
    if !ids.is_empty() {
        let is_other = |program: &ProgramInfo| program.name() != NAME.to_bytes();
        let others: Vec<u32> = loaded_programs()
            .flatten()
            .filter(is_other)
            .map(|program| program.id())
            .collect();
        ids.retain(|id| !others.contains(id));
    }
    Ok(!ids.is_empty())
}

/// Empties the map of the tail call in `maps`, if there is one. The last stub must be gone.
///
/// The kernel empties the map as well when its last user goes. But if a process lists the maps of the machine at that
/// moment, and so opens and closes this one, the kernel never frees it. (Seen on Linux 6.18, at every try; never with
/// a map that is empty already.)
pub(crate) fn clear_tail_call_target(maps: &Path) -> Result<()> {
    for path in TAIL_CALL_MAPS.map(|name| maps.join(name)) {
        if !path.exists() {
            continue; // the other version's name, or removed already
        }
        sys::wait_for_programs().context("Failed to wait for running programs (by a map of maps)")?;
        let map = MapData::from_pin(&path)
            .and_then(Map::from_map_data)
            .and_then(ProgramArray::try_from);
        let mut programs = map.with_context(|| format!("Failed to open the map {}", path.display()))?;
        absent_is_fine(programs.clear_index(&0))
            .with_context(|| format!("Failed to empty the map {}", path.display()))?;
    }
    Ok(())
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
fn program(netns_cookie: u64, caller: BorrowedFd<'_>, programs: BorrowedFd<'_>) -> [Instruction; 19] {
    use Register::{R0, R1, R2, R3, R6, R10};
    const KEY: i16 = -4; // of the stack
    const NETNS_COOKIE: i16 = 0; // of `Caller`
    const CONTEXT: i16 = 8;
    const MAP_LOOKUP_ELEM: i32 = 1; // `enum bpf_func_id`
    const TAIL_CALL: i32 = 12;
    const SK_DROP: i32 = 0;

    let [cookie_low, cookie_high] = load_wide(R1, 0, netns_cookie);
    let [caller_low, caller_high] = load_map(R1, caller);
    let [programs_low, programs_high] = load_map(R2, programs);
    [
        copy(R6, R1),
        Instruction::new(ST_W, R10 as u8, KEY, 0),
        caller_low,
        caller_high,
        copy(R2, R10),
        Instruction::new(ADD_K, R2 as u8, 0, KEY.into()),
        Instruction::new(CALL, 0, 0, MAP_LOOKUP_ELEM),
        Instruction::new(JEQ_K, R0 as u8, 9, 0), // to the end
        cookie_low,
        cookie_high,
        store(R0, NETNS_COOKIE, R1),
        store(R0, CONTEXT, R6),
        copy(R1, R6),
        programs_low,
        programs_high,
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
