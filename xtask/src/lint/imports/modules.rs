// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The modules of one crate, each with its file. Follows `mod` declarations, and no imports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::contents::Contents;

/// The first module is the root of the crate.
pub(super) struct Modules(pub(super) Vec<Module>);

pub(super) struct Module {
    pub(super) file: PathBuf,
    pub(super) parent: Option<usize>,
    pub(super) children: BTreeMap<String, usize>,
    pub(super) contents: Contents,
}

impl Modules {
    /// The modules of the crate whose root is the file `root`. `read` gives the contents of a file, or `None` when no
    /// such file is there. The error names a module without a file.
    pub(super) fn of(root: &Path, read: &impl Fn(&Path) -> Option<Contents>) -> Result<Self, String> {
        let mut modules = Self(Vec::new());
        let contents = read(root).ok_or_else(|| format!("{}: there is no such file", root.display()))?;
        let folder = root.parent().unwrap_or_else(|| Path::new(""));
        modules.add(None, root, folder, contents, read)?;
        Ok(modules)
    }

    /// Whether `module` lies inside `ancestor`.
    pub(super) fn is_inside(&self, module: usize, ancestor: usize) -> bool {
        let mut parents = std::iter::successors(Some(module), |module| self.0[*module].parent);
        parents.any(|parent| parent == ancestor)
    }

    /// Adds a module of `file` with all modules inside it. Their files lie in `folder`.
    fn add(
        &mut self,
        parent: Option<usize>,
        file: &Path,
        folder: &Path,
        mut contents: Contents,
        read: &impl Fn(&Path) -> Option<Contents>,
    ) -> Result<usize, String> {
        let declared = std::mem::take(&mut contents.modules);
        let this = self.0.len();
        self.0
            .push(Module { file: file.to_owned(), parent, children: BTreeMap::new(), contents });
        for (name, inside) in declared {
            let inner = folder.join(&name);
            let child = if let Some(inside) = inside {
                self.add(Some(this), file, &inner, inside, read)?
            } else {
                let files = [folder.join(format!("{name}.rs")), inner.join("mod.rs")];
                let found = files.into_iter().find_map(|file| Some((read(&file)?, file)));
                let (contents, child) = found.ok_or_else(|| {
                    format!(
                        "{}: the module `{name}` has no file where modules lie; use no #[path]",
                        file.display()
                    )
                })?;
                self.add(Some(this), &child, &inner, contents, read)?
            };
            self.0[this].children.insert(name, child);
        }
        Ok(this)
    }
}
