// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds and reads the files that the rules are about. Judges none of them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A file with its text.
pub(super) struct File {
    /// Relative to the root of the workspace.
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl File {
    pub(super) fn read(root: &Path, path: PathBuf) -> Result<Self> {
        Ok(Self { text: read(&root.join(&path))?, path })
    }
}

/// All files of the project with this extension. Walks the folders instead of asking git, which refuses to answer
/// root about another user's clone.
pub(super) fn files(root: &Path, extension: &str) -> Result<Vec<File>> {
    let mut paths = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let context = || format!("cannot list {}", folder.display());
        for entry in std::fs::read_dir(&folder).with_context(context)? {
            let entry = entry.with_context(context)?;
            let (path, name) = (entry.path(), entry.file_name());
            let kind = entry.file_type().with_context(context)?;
            if kind.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|found| found == extension) {
                paths.push(path.strip_prefix(root).unwrap_or(&path).to_owned());
            }
        }
    }
    paths.sort();
    paths.into_iter().map(|path| File::read(root, path)).collect()
}

pub(super) fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_file_is_found() {
        let found = files(crate::workspace::root(), "rs").unwrap();
        assert!(found.iter().any(|file| file.path == Path::new("xtask/src/lint/files.rs")));
    }
}
