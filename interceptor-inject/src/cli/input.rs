// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads files with manifests, whole. Nothing that was named is skipped.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

/// Manifests are small. A file that is larger is something else.
const LARGEST_FILE: u64 = 64 << 20;
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

/// A file that was read.
pub(super) struct Input {
    /// What messages call it.
    pub(super) name: String,
    pub(super) text: String,
}

/// Reads files, directories, and standard input (`-`), in their order.
pub(super) fn read(names: &[PathBuf]) -> Result<Vec<Input>> {
    if names.iter().filter(|name| is_stdin(name)).count() > 1 {
        bail!("Standard input (-f -) is named twice, and can be read once");
    }
    let mut inputs = Vec::new();
    for name in names {
        if is_stdin(name) {
            inputs.push(text("standard input".to_owned(), io::stdin().lock())?);
        } else if name.is_dir() {
            for found in files_in(name)? {
                // A pipe or a device in a directory was not named by anybody, and may never end.
                if !found.is_file() {
                    bail!("{} is not a regular file; name it with -f, or remove it", found.display());
                }
                inputs.push(file(&found)?);
            }
        } else {
            inputs.push(file(name)?);
        }
    }
    Ok(inputs)
}

fn is_stdin(name: &Path) -> bool {
    name == Path::new("-")
}

/// Reads a file, whatever it is called.
pub(super) fn file(path: &Path) -> Result<Input> {
    let file = File::open(path).with_context(|| format!("Failed to open {}", path.display()))?;
    text(path.display().to_string(), file)
}

/// The files with manifests in a directory, by name. Directories below are not looked into, as with kubectl.
fn files_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let listed = || -> io::Result<Vec<PathBuf>> { fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect() };
    let mut files = listed().with_context(|| format!("Failed to list the directory {}", directory.display()))?;
    let is_manifest = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) && !path.is_dir()
    };
    files.retain(is_manifest);
    files.sort();
    if files.is_empty() {
        bail!("The directory {} has no file *.yaml, *.yml or *.json", directory.display());
    }
    Ok(files)
}

fn text(name: String, file: impl Read) -> Result<Input> {
    let mut bytes = Vec::new();
    let read = file.take(LARGEST_FILE + 1).read_to_end(&mut bytes);
    let read = read.with_context(|| format!("Failed to read {name}"))?;
    if read as u64 > LARGEST_FILE {
        bail!("{name} is larger than {} MiB; divide it", LARGEST_FILE >> 20);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Input { name, text }),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let line = 1 + String::from_utf8_lossy(&error.as_bytes()[..at]).matches('\n').count();
            bail!("{name}, line {line}: byte {at} is not UTF-8; convert the file to UTF-8")
        }
    }
}
