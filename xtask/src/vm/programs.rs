// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Copying programs of this system together with what they load.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::run::ask;

/// Copies `program` and the libraries it is linked with to their places below `root`.
pub(super) fn copy_program(program: &str, root: &Path) -> Result<()> {
    let path = find(program).with_context(|| format!("{program} is not in the search path"))?;
    let file = path
        .canonicalize()
        .with_context(|| format!("cannot follow {}", path.display()))?;
    copy_to(&file, root)?;
    if file != path {
        let link = below(root, &path);
        if link.symlink_metadata().is_err() {
            make_parent(&link)?;
            symlink(&file, &link).with_context(|| format!("cannot make {}", link.display()))?;
        }
    }
    copy_libraries(&file, root)
}

/// Copies what an executable file is linked with; a static one with nothing.
pub(super) fn copy_libraries(file: &Path, root: &Path) -> Result<()> {
    libraries(file)?.iter().try_for_each(|library| copy_to(library, root))
}

/// The full paths of the libraries and of the loader itself.
pub(super) fn libraries(file: &Path) -> Result<Vec<PathBuf>> {
    let listed = ask(Command::new("ldd").arg(file))?;
    if let Some(missing) = listed.lines().find(|line| line.contains("not found")) {
        bail!("{} cannot run here: {}", file.display(), missing.trim());
    }
    // `libc.so.6 => /lib/libc.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)`, `linux-vdso.so.1 (0x…)`
    let paths = listed
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    Ok(paths.map(PathBuf::from).collect())
}

/// Copies a file to its place below `root`, unless something is there.
pub(super) fn copy_to(file: &Path, root: &Path) -> Result<()> {
    let to = below(root, file);
    if !to.exists() {
        make_parent(&to)?;
        std::fs::copy(file, &to).with_context(|| format!("cannot copy {} to {}", file.display(), to.display()))?;
    }
    Ok(())
}

/// Copies a directory to its place below `root`.
pub(super) fn copy_directory(from: &Path, to: &Path) -> Result<()> {
    make_parent(to)?;
    let status = Command::new("cp")
        .arg("-r")
        .arg(from)
        .arg(to)
        .status()
        .context("cannot start cp")?;
    ensure!(status.success(), "cannot copy {} to {}", from.display(), to.display());
    Ok(())
}

/// The name of the one thing in `directory`.
pub(super) fn only_entry(directory: &Path) -> Result<String> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
    let names: Vec<_> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    match names.as_slice() {
        [only] => Ok(only.clone()),
        _ => bail!("{} holds {names:?} where one thing is expected", directory.display()),
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

pub(super) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().context("a path without a parent")?;
    std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))
}
