// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The programs, maps and links of one node, by their ids. Never takes those of another node for them, whatever their
//! names are.

use std::collections::BTreeSet;

use aya::{
    maps::{MapInfo, loaded_maps},
    programs::{
        ProgramInfo,
        links::{FdLink, PinnedLink},
        loaded_links, loaded_programs,
    },
};
use testkit::Node;

/// An object of the kernel. No id is given to a second object of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Object {
    Program(u32),
    Map(u32),
    Link(u32),
}

/// What the kernel has at this moment.
struct Kernel {
    /// Each program with its maps.
    programs: Vec<(u32, Vec<u32>)>,
    maps: Vec<u32>,
    /// Each link with its program.
    links: Vec<(u32, u32)>,
}

/// Everything of `node` that is loaded: what is pinned, the programs of links, the maps of programs, and, pinned or
/// not, the programs that use such maps and the links to such programs.
pub(crate) fn of_node(node: &Node) -> BTreeSet<Object> {
    let kernel = Kernel::look();
    let mut found = pinned(node);
    loop {
        let count = found.len();
        for (program, maps) in &kernel.programs {
            if maps.iter().any(|map| found.contains(&Object::Map(*map))) {
                found.insert(Object::Program(*program));
            }
            if found.contains(&Object::Program(*program)) {
                found.extend(maps.iter().copied().map(Object::Map));
            }
        }
        for (link, program) in &kernel.links {
            if found.contains(&Object::Program(*program)) {
                found.insert(Object::Link(*link));
            }
            if found.contains(&Object::Link(*link)) {
                found.insert(Object::Program(*program));
            }
        }
        if found.len() == count {
            return found;
        }
    }
}

/// Which of `objects` the kernel still has.
pub(crate) fn still_loaded(objects: &BTreeSet<Object>) -> BTreeSet<Object> {
    let Kernel { programs, maps, links } = Kernel::look();
    let programs = programs.into_iter().map(|(program, _)| Object::Program(program));
    let links = links.into_iter().map(|(link, _)| Object::Link(link));
    let loaded: BTreeSet<Object> = programs.chain(maps.into_iter().map(Object::Map)).chain(links).collect();
    objects.intersection(&loaded).copied().collect()
}

impl Kernel {
    /// Leaves out what is freed between listing and asking.
    fn look() -> Self {
        let programs = loaded_programs().flatten().filter_map(|program| {
            let maps = program.map_ids().ok()?.expect("this kernel names the maps of a program");
            Some((program.id(), maps))
        });
        Self {
            programs: programs.collect(),
            maps: loaded_maps().flatten().map(|map| map.id()).collect(),
            links: loaded_links().flatten().map(|link| (link.id(), link.program_id())).collect(),
        }
    }
}

/// What `interceptor` has pinned; the kernel itself pins two programs in each bpffs. The directory says of which kind
/// a pin is.
fn pinned(node: &Node) -> BTreeSet<Object> {
    let home = node.bpffs().join("interceptor");
    let pins = node.pins().into_iter().filter(|pin| pin.starts_with(&home) && !pin.is_dir());
    let object = |pin: std::path::PathBuf| {
        let below = |name: &str| pin.components().any(|part| part.as_os_str() == name);
        let opened = if below("pods") || below("cgroups") {
            PinnedLink::from_pin(&pin)
                .and_then(|link| FdLink::from(link).info())
                .map(|link| Object::Link(link.id()))
                .ok()
        } else if below("programs") {
            ProgramInfo::from_pin(&pin).map(|program| Object::Program(program.id())).ok()
        } else if below("maps") {
            MapInfo::from_pin(&pin).map(|map| Object::Map(map.id())).ok()
        } else {
            None
        };
        opened.unwrap_or_else(|| panic!("{} is neither program, map nor link", pin.display()))
    };
    pins.map(object).collect()
}
