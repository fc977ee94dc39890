// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which Rust file imports which. Judges no import.
//!
//! An import is a name of another file of the same crate, in a `use` declaration or in a path such as
//! `crate::run::exec`. The file is the one that defines the name: re-exports are followed. Declaring a module (`mod
//! x;`), importing it without a name of it, and re-exporting what lies inside a module are no imports. What is
//! compiled for tests only does not count. Crates cannot import each other in a circle, so imports of other crates
//! are left out.

mod contents;
mod modules;
mod resolve;
mod use_tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use contents::Contents;
use modules::Modules;
use resolve::Target;

use super::files::File;
use super::tokens::Code;

/// The imports of the workspace: importing file, imported file, and the names.
#[derive(Default)]
pub(super) struct Imports(pub(super) BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>);

impl Imports {
    /// Reads the crates whose roots these files are. The second value says what cannot be read.
    pub(super) fn of(roots: &[&Path], files: &[File]) -> (Self, Vec<String>) {
        let texts: BTreeMap<&Path, &str> = files.iter().map(|file| (file.path.as_path(), file.text.as_str())).collect();
        let read = |file: &Path| texts.get(file).map(|text| Contents::of(&Code::of(text).tokens()));
        let (mut imports, mut problems) = (Self::default(), Vec::new());
        for root in roots {
            match Modules::of(root, &read) {
                Ok(modules) => imports.add_crate(&modules),
                Err(problem) => problems.push(problem),
            }
        }
        (imports, problems)
    }

    fn add_crate(&mut self, modules: &Modules) {
        for (this, module) in modules.0.iter().enumerate() {
            let contents = &module.contents;
            for import in contents.uses.iter().filter(|import| !import.glob) {
                let target = modules.resolve(this, &import.path);
                // A re-export of what lies inside counts only if this module uses the name itself.
                let passed_on = |target| import.public && modules.is_inside(target, this);
                let used = import.name.as_ref().is_some_and(|name| contents.words.contains(name));
                match target {
                    Some(Target::Item(target)) if used || !passed_on(target) => {
                        self.add(modules, this, target, import.path.last());
                    }
                    _ => {}
                }
            }
            for path in &contents.paths {
                if let Some(Target::Item(target)) = modules.resolve(this, path) {
                    self.add(modules, this, target, path.last());
                }
            }
            for import in contents.uses.iter().filter(|import| import.glob) {
                match modules.resolve(this, &import.path) {
                    Some(Target::Module(source)) if source != this => {
                        for name in &contents.words {
                            if let Some(Target::Item(target)) = modules.provided(source, name) {
                                self.add(modules, this, target, Some(name));
                            }
                        }
                    }
                    Some(Target::Item(target)) => self.add(modules, this, target, import.path.last()),
                    _ => {}
                }
            }
        }
    }

    fn add(&mut self, modules: &Modules, from: usize, to: usize, name: Option<&String>) {
        let [from, to] = [from, to].map(|module| &modules.0[module].file);
        if from != to {
            let names = self.0.entry(from.clone()).or_default().entry(to.clone()).or_default();
            names.extend(name.cloned());
        }
    }
}

#[cfg(test)]
mod tests;
