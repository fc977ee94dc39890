// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The programs, maps and links of one node, by their ids. Never counts those of another node, whatever their names
//! are.

use std::collections::BTreeSet;

use aya::{
    maps::{MapInfo, MapType},
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
    Link(u32),
    /// A map that is no program array.
    Map(u32),
    ProgramArray(u32),
}

/// The programs and links that the kernel has at this moment.
///
/// Maps are not listed. To list them, a process opens each of them, and it leaks a program array if it opens it just
/// when the last user lets go: the kernel then begins to empty the array twice, takes a reference each time, and drops
/// one ([`prog_array_map_clear`](https://github.com/torvalds/linux/blob/v6.12/kernel/bpf/arraymap.c)).
struct Kernel {
    /// Each program with its maps.
    programs: Vec<(u32, Vec<u32>)>,
    /// Each link with its program.
    links: Vec<(u32, u32)>,
}

/// All objects of `node`: what is pinned, the programs of links, and the maps of programs. Also, pinned or not, the
/// programs that use such a map, and the links to such programs.
pub(crate) fn of_node(node: &Node) -> BTreeSet<Object> {
    let kernel = Kernel::look();
    let mut found = pinned(node);
    loop {
        let count = found.len();
        for (program, maps) in &kernel.programs {
            let is_array = |map: &u32| found.contains(&Object::ProgramArray(*map));
            let uses_known = maps.iter().any(|map| is_array(map) || found.contains(&Object::Map(*map)));
            if uses_known || found.contains(&Object::Program(*program)) {
                // Program arrays are pinned, so each of them is known already.
                let maps: Vec<Object> = maps.iter().filter(|map| !is_array(map)).copied().map(Object::Map).collect();
                found.insert(Object::Program(*program));
                found.extend(maps);
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

/// Some of `objects` that the kernel still has; none if it has none.
///
/// Looks at maps only when no program and no link is left, and at program arrays last. The kernel empties an array
/// before it frees the programs in it, so by then nobody else is letting go of the array.
pub(crate) fn some_still_loaded(objects: &BTreeSet<Object>) -> BTreeSet<Object> {
    let Kernel { programs, links } = Kernel::look();
    let programs = programs.into_iter().map(|(program, _)| Object::Program(program));
    let loaded: BTreeSet<Object> = programs.chain(links.into_iter().map(|(link, _)| Object::Link(link))).collect();
    let mut left: BTreeSet<Object> = objects.intersection(&loaded).copied().collect();
    for arrays in [false, true] {
        if left.is_empty() {
            left = objects.iter().copied().filter(|object| map_exists(*object, arrays)).collect();
        }
    }
    left
}

/// Whether this is a program array, or another map, and still exists.
fn map_exists(object: Object, arrays: bool) -> bool {
    match object {
        Object::Map(id) if !arrays => MapInfo::from_id(id).is_ok(),
        Object::ProgramArray(id) if arrays => MapInfo::from_id(id).is_ok(),
        Object::Program(_) | Object::Link(_) | Object::Map(_) | Object::ProgramArray(_) => false,
    }
}

impl Kernel {
    /// Leaves out objects that are freed while this looks.
    fn look() -> Self {
        let programs = loaded_programs().flatten().filter_map(|program| {
            let maps = program.map_ids().ok()?.expect("this kernel names the maps of a program");
            Some((program.id(), maps))
        });
        Self {
            programs: programs.collect(),
            links: loaded_links().flatten().map(|link| (link.id(), link.program_id())).collect(),
        }
    }
}

/// What `interceptor` has pinned. (The kernel itself pins two programs in each BPF file system.) The directory tells
/// what a pin is.
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
            MapInfo::from_pin(&pin).ok().map(|map| of_map(&map))
        } else {
            None
        };
        opened.unwrap_or_else(|| panic!("{} is neither program, map nor link", pin.display()))
    };
    pins.map(object).collect()
}

fn of_map(map: &MapInfo) -> Object {
    if matches!(map.map_type(), Ok(MapType::ProgramArray)) {
        Object::ProgramArray(map.id())
    } else {
        Object::Map(map.id())
    }
}
