// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The links of a pod's guard: one for each interface of the pod but `lo`, under the interface's index. A link puts
//! nothing in force before the pod has its entry in the map of pods.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use interceptor_policy::LOOPBACK_INTERFACE;
use nix::net::if_::if_nameindex;

use crate::kernel::{
    node::layout::Layout,
    pod::netns::Netns,
    programs::table::GUARD,
    sys::{self, tree::create_directory},
};

/// How many interfaces of a pod are guarded. For each link the kernel waits until no processor runs the programs from
/// before (`tcx_entry_sync` of
/// [`tcx.h`](https://github.com/torvalds/linux/blob/v6.12/include/net/tcx.h)), some ten milliseconds, while other pods
/// wait. Whoever has `CAP_NET_ADMIN` in the pod may make as many interfaces as memory allows.
const MOST: usize = 128;

/// Whether the node has the program.
pub(crate) fn is_loaded(layout: &Layout) -> bool {
    layout.programs().join(GUARD.name).exists()
}

/// The indices of the pod's interfaces that have no link.
pub(crate) fn unguarded(layout: &Layout, netns: &Netns) -> Result<Vec<u32>> {
    let directory = layout.pod(netns.cookie());
    let mut without = Vec::new();
    for index in interfaces(netns)? {
        if !is_live(&pin(&directory, index), index)? {
            without.push(index);
        }
    }
    Ok(without)
}

/// Attaches the program to the pod's interfaces that have no link.
pub(crate) fn attach_missing(layout: &Layout, netns: &Netns) -> Result<()> {
    let directory = layout.pod(netns.cookie());
    create_directory(&directory)?;
    retire(layout, netns.cookie(), true)?; // another interface may have got the index of one that is gone
    let path = layout.programs().join(GUARD.name);
    let program = sys::bpf_obj_get(&path).with_context(|| format!("Failed to open {}", path.display()))?;
    for index in interfaces(netns)? {
        let pin = pin(&directory, index);
        if pin.exists() {
            continue;
        }
        let link = netns.run(|| GUARD.attach_at_interface(&program, index))??;
        sys::bpf_obj_pin(&link, &pin).with_context(|| format!("Failed to pin {}", pin.display()))?;
    }
    Ok(())
}

/// Removes the links of a pod that are of no use: those of interfaces that are gone or, if the pod is not guarded, all.
pub(crate) fn retire(layout: &Layout, netns_cookie: u64, guarded: bool) -> Result<()> {
    for (index, path) in pins(&layout.pod(netns_cookie))? {
        if !(guarded && is_live(&path, index)?) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// How many interfaces of a pod are guarded.
pub(crate) fn count(layout: &Layout, netns_cookie: u64) -> Result<usize> {
    let mut live = 0;
    for (index, path) in pins(&layout.pod(netns_cookie))? {
        live += usize::from(is_live(&path, index)?);
    }
    Ok(live)
}

/// The indices of a namespace's interfaces other than `lo`. Fails if they are more than can be guarded.
fn interfaces(netns: &Netns) -> Result<Vec<u32>> {
    let all = netns.run(|| -> Result<Vec<u32>> {
        let interfaces = if_nameindex().context("Failed to list the interfaces")?;
        Ok(interfaces.iter().map(nix::net::if_::Interface::index).collect())
    })??;
    let guarded: Vec<u32> = all.into_iter().filter(|index| *index != LOOPBACK_INTERFACE).collect();
    ensure!(
        guarded.len() <= MOST,
        "The pod has {} interfaces, of which at most {MOST} can be guarded",
        guarded.len()
    );
    Ok(guarded)
}

/// No name in a BPF file system may contain a dot, so the name of an interface is no part of the path.
fn pin(directory: &Path, index: u32) -> PathBuf {
    directory.join(format!("{}_{index}", GUARD.name))
}

/// The links that are pinned, each with the index of its interface.
pub(crate) fn pins(directory: &Path) -> Result<Vec<(u32, PathBuf)>> {
    let context = || format!("Failed to list {}", directory.display());
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(context),
    };
    let mut pins = Vec::new();
    for entry in entries {
        let path = entry.with_context(context)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let index = name.and_then(|name| name.strip_prefix(GUARD.name)?.strip_prefix('_')?.parse().ok());
        pins.extend(index.map(|index| (index, path)));
    }
    Ok(pins)
}

/// Whether a link is there, and its interface too. When an interface goes, the kernel shows 0 as its index.
fn is_live(pin: &Path, index: u32) -> Result<bool> {
    let link = match sys::bpf_obj_get(pin) {
        Ok(link) => link,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("Failed to open {}", pin.display())),
    };
    Ok(sys::fdinfo(&link, "ifindex")?.is_some_and(|shown| shown.parse() == Ok(index)))
}

fn remove(pin: &Path) -> Result<()> {
    match fs::remove_file(pin) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Failed to remove {}", pin.display()))
        }
        _ => Ok(()),
    }
}
