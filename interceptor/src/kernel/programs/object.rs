// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel object: its maps are created or opened, and its programs loaded. Nothing here attaches a program.

use std::{
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{Map, MapInfo, ProgramArray},
    programs::{Program, ProgramError},
};
use aya_obj::Object;

use interceptor_policy::{
    LOOPBACK_INTERFACE,
    maps::{self, LOOKUP_CALLER, LOOKUP_PROGS, MapName},
};

use crate::kernel::{
    programs::{
        build::Build,
        embedded::OBJECT,
        kernel_reader, lookup_stub,
        table::{self, GUARD, ProgramInfo, SK_LOOKUP, TRACED},
    },
    sys::{self, btf},
};

/// The kernel refused a program.
#[derive(Debug, thiserror::Error)]
#[error("The kernel refused the program {program}{}", shown(.verifier_log.as_deref()))]
pub(crate) struct LoadError {
    program: &'static str,
    /// The last lines of the verifier's log, if it has any: they say what was wrong.
    verifier_log: Option<String>,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Whether a map is as this build defines it: kind, sizes and flags.
pub(crate) fn defines(name: MapName, map: &MapInfo) -> Result<bool> {
    let object = Object::parse(OBJECT).context("Failed to parse the kernel object")?;
    let defined = object
        .maps
        .get(name.as_str())
        .with_context(|| format!("The kernel object has no map {name}"))?;
    let sizes = (map.key_size(), map.value_size(), map.max_entries(), map.map_flags());
    let kind = map.map_type().context("Failed to ask for the kind of a map")?;
    Ok(kind as u32 == defined.map_type()
        && sizes
            == (
                defined.key_size(),
                defined.value_size(),
                defined.max_entries(),
                defined.map_flags(),
            ))
}

/// Creates the maps, pinned in `maps`, and loads the programs that every node needs, pinned in `programs`.
pub(crate) fn load_node(maps: &Path, programs: &Path) -> Result<()> {
    set_tail_call_target(&mut load_programs(maps, programs)?)
}

/// Loads the programs that every node needs, pinned in `programs`, for the maps that are pinned in `maps`. Maps that
/// are not there are created.
pub(crate) fn load_programs(maps: &Path, programs: &Path) -> Result<Ebpf> {
    let mut object = open(Some(maps), AccelerationMaps::Unused)?;
    for info in table::programs() {
        load(&mut object, info)?;
        info.pin(&mut object, programs)?;
    }
    match load_guard(&mut object) {
        Ok(()) => GUARD.pin(&mut object, programs)?,
        // Only pods that are to be guarded need it, and enrolling one says so.
        Err(error) => tracing::debug!("{}: {error:#}", GUARD.name),
    }
    Build::this().note(programs, SK_LOOKUP)?;
    Ok(object)
}

/// Creates the maps of acceleration, pinned in `acceleration_maps`, and loads its programs, not pinned. The shared
/// maps are those pinned in `maps`.
pub(crate) fn load_acceleration(maps: &Path, acceleration_maps: &Path) -> Result<Ebpf> {
    let mut object = open(Some(maps), AccelerationMaps::Pinned(acceleration_maps))?;
    table::acceleration_programs().try_for_each(|info| load(&mut object, info))?;
    Ok(object)
}

/// Loads programs without pinning anything.
pub(crate) fn load_unpinned(infos: impl IntoIterator<Item = ProgramInfo>) -> Result<Ebpf> {
    let mut object = open(None, AccelerationMaps::InMemory)?;
    infos.into_iter().try_for_each(|info| load(&mut object, info))?;
    Ok(object)
}

/// Loads the guard, and attaches it to `lo` of the calling thread's network namespace for a moment: some kernels load
/// it, and cannot attach it. With new maps, in which no pod is enrolled, it lets everything pass.
pub(crate) fn load_guard(object: &mut Ebpf) -> Result<()> {
    load(object, GUARD)?;
    let program = GUARD.fd_in(object)?;
    GUARD.attach_at_interface(&program.as_fd(), LOOPBACK_INTERFACE).map(drop)
}

/// Loads one program of the object.
pub(crate) fn load(object: &mut Ebpf, info: ProgramInfo) -> Result<(), LoadError> {
    let refused = |error: anyhow::Error| LoadError { program: info.name, verifier_log: None, source: error.into() };
    let types = if matches!(info.of(object).map_err(refused)?, Program::FEntry(_)) {
        let types = Btf::from_sys_fs().context("Failed to read the kernel's type information");
        Some(types.map_err(refused)?)
    } else {
        None
    };
    let program = info.of(object).map_err(refused)?;
    let loaded = sys::retry_loading(is_interruption, || match program {
        Program::CgroupSock(program) => program.load(),
        Program::CgroupSockAddr(program) => program.load(),
        Program::CgroupSockopt(program) => program.load(),
        Program::SockOps(program) => program.load(),
        Program::SkLookup(program) => program.load(),
        Program::SkMsg(program) => program.load(),
        Program::SchedClassifier(program) => program.load(),
        Program::FEntry(program) => match &types {
            Some(types) => program.load(TRACED, types),
            None => Err(ProgramError::UnexpectedProgramType),
        },
        _ => Err(ProgramError::UnexpectedProgramType),
    });
    loaded.map_err(|error| LoadError::new(info.name, error))
}

/// Whether a signal came while the verifier was at work.
fn is_interruption(error: &ProgramError) -> bool {
    matches!(error, ProgramError::LoadError { io_error, .. } if io_error.raw_os_error() == Some(nix::libc::EAGAIN))
}

/// Lets the stubs find `on_sk_lookup`, which is loaded.
pub(crate) fn set_tail_call_target(object: &mut Ebpf) -> Result<()> {
    let program = SK_LOOKUP.fd_in(object)?;
    let map = object
        .map_mut(LOOKUP_PROGS.as_str())
        .with_context(|| format!("The kernel object has no map {LOOKUP_PROGS}"))?;
    let mut programs: ProgramArray<_> = map.try_into()?;
    programs
        .set(0, &program, 0)
        .with_context(|| format!("Failed to write the map {LOOKUP_PROGS}"))
}

/// Loads the stub of one network namespace.
pub(crate) fn load_lookup_stub(object: &Ebpf, netns_cookie: u64) -> Result<OwnedFd> {
    let (Some(Map::PerCpuArray(caller)), Some(Map::ProgramArray(programs))) =
        (object.map(LOOKUP_CALLER.as_str()), object.map(LOOKUP_PROGS.as_str()))
    else {
        bail!("The kernel object lacks the maps {LOOKUP_CALLER} and {LOOKUP_PROGS}");
    };
    let stub = lookup_stub::load(netns_cookie, caller.fd().as_fd(), programs.fd().as_fd());
    stub.context("Failed to load a stub of on_sk_lookup")
}

/// What becomes of the maps of acceleration.
#[derive(Clone, Copy)]
enum AccelerationMaps<'a> {
    /// No program uses them. They are created with one entry, and go at once.
    Unused,
    /// They live as long as the programs.
    InMemory,
    /// They are pinned there.
    Pinned(&'a Path),
}

/// Creates the maps, or opens those pinned in `shared`, and gives the programs their constants.
fn open(shared: Option<&Path>, acceleration: AccelerationMaps<'_>) -> Result<Ebpf> {
    let mut constants = btf::constants()?;
    constants.insert("MAY_READ_KERNEL", kernel_reader::is_allowed().into());
    let mut loader = EbpfLoader::new();
    for (name, value) in &constants {
        loader.override_global(name, value, true);
    }
    for name in maps::ALL.iter().chain(maps::FORMER).map(|name| name.as_str()) {
        if let Some(directory) = shared {
            loader.map_pin_path(name, directory.join(name));
        }
    }
    for name in maps::ACCELERATION.iter().map(|name| name.as_str()) {
        match acceleration {
            // The verifier wants socket storage to have its true size.
            AccelerationMaps::Unused if name != maps::SOCKET_STATE.as_str() => drop(loader.map_max_entries(name, 1)),
            AccelerationMaps::Unused | AccelerationMaps::InMemory => {}
            AccelerationMaps::Pinned(directory) => drop(loader.map_pin_path(name, directory.join(name))),
        }
    }
    loader.load(OBJECT).context("Failed to create or open the maps")
}

/// The log on lines of its own. No log adds no line.
fn shown(verifier_log: Option<&str>) -> String {
    verifier_log.map(|log| format!(":\n{log}\n")).unwrap_or_default()
}

impl LoadError {
    fn new(program: &'static str, error: ProgramError) -> Self {
        const LAST_LINES: usize = 8;
        let (verifier_log, source): (_, Box<dyn std::error::Error + Send + Sync>) = match error {
            ProgramError::LoadError { io_error, verifier_log } => {
                let log = verifier_log.to_string();
                let start = log.lines().count().saturating_sub(LAST_LINES);
                let end = log.lines().skip(start).collect::<Vec<_>>().join("\n");
                (Some(end).filter(|log| !log.trim().is_empty()), Box::new(io_error))
            }
            error => (None, Box::new(error)),
        };
        Self { program, verifier_log, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map that is in no list would not be pinned: each run would have its own.
    #[test]
    fn every_map_of_the_object_is_listed() {
        let object = Object::parse(OBJECT).unwrap();
        let unknown: Vec<&String> = object.maps.keys().filter(|name| !maps::is_known(name)).collect();
        assert!(unknown.is_empty(), "in no list of interceptor_policy::maps: {unknown:?}");
        for name in maps::ALL.iter().chain(maps::ACCELERATION) {
            assert!(
                object.maps.contains_key(name.as_str()),
                "{name} is listed, and the object has no such map"
            );
        }
    }

    /// A program that has no row would never be loaded.
    #[test]
    fn every_program_of_the_object_has_a_row() {
        let rows = table::programs()
            .chain(table::acceleration_programs())
            .chain([GUARD, table::URGENT]);
        let rows: Vec<&str> = rows.map(|row| row.name).collect();
        let object = Object::parse(OBJECT).unwrap();
        for name in object.programs.keys() {
            assert!(rows.contains(&name.as_str()), "{name} has no row in table.rs");
        }
        assert_eq!(
            object.programs.len(),
            rows.len(),
            "a row names a program that the object does not have"
        );
    }

    /// The document's list is what people read in `bpftool map`.
    #[test]
    fn the_list_of_maps_in_the_architecture_is_this_one() {
        let document = include_str!("../../../../ARCHITECTURE.md");
        let section = document.split("\n## Maps\n").nth(1).expect("a section Maps");
        let block = section.split("```").nth(1).expect("a list of maps");
        let listed: Vec<&str> = block
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        let maps: Vec<&str> = maps::ALL.iter().chain(maps::ACCELERATION).map(|name| name.as_str()).collect();
        assert_eq!(listed, maps);
    }
}
