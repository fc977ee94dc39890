// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds the module that defines a name, through imports and re-exports. Names of other crates are found nowhere.

use super::modules::Modules;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A module itself.
    Module(usize),
    /// Something that this module defines.
    Item(usize),
}

/// More re-exports than this are a loop of re-exports.
const PATIENCE: usize = 32;

impl Modules {
    /// What `path` means in `module`, or `None` when another crate defines it.
    pub(super) fn resolve(&self, module: usize, path: &[String]) -> Option<Target> {
        self.resolve_within(module, path, PATIENCE)
    }

    /// Where `name` is defined, if `module` has it by definition, by import, or by an import of all names.
    pub(super) fn provided(&self, module: usize, name: &str) -> Option<Target> {
        self.named(module, &[name.to_owned()], PATIENCE)
    }

    fn resolve_within(&self, module: usize, path: &[String], left: usize) -> Option<Target> {
        let left = left.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.inside(0, rest, left),
            "self" => self.inside(module, rest, left),
            "super" => {
                let parent = self.0[module].parent?;
                if rest.first().is_some_and(|next| next == "super") {
                    self.resolve_within(parent, rest, left)
                } else {
                    self.inside(parent, rest, left)
                }
            }
            _ => self.named(module, path, left),
        }
    }

    /// What `path` means inside `module`, which has been named before. What is found nowhere has been made there by a
    /// macro, or comes from another crate by way of this module.
    fn inside(&self, module: usize, path: &[String], left: usize) -> Option<Target> {
        if path.is_empty() {
            return Some(Target::Module(module));
        }
        self.named(module, path, left).or(Some(Target::Item(module)))
    }

    fn named(&self, module: usize, path: &[String], left: usize) -> Option<Target> {
        let left = left.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        let contents = &self.0[module].contents;
        let child = self.0[module].children.get(first).copied();
        // A function may have the name of a module. The last name of a path is rather that function.
        if let Some(child) = child.filter(|_| !rest.is_empty()) {
            return self.inside(child, rest, left);
        }
        if contents.defined.contains(first) {
            return Some(Target::Item(module));
        }
        let imported = contents.uses.iter().filter(|import| import.name.as_ref() == Some(first));
        let through = |path: &[String]| self.resolve_within(module, &[path, rest].concat(), left);
        let globs = contents.uses.iter().filter(|import| import.glob);
        let from_all = |path: &[String]| match self.resolve_within(module, path, left)? {
            Target::Module(source) if source != module => {
                self.named(source, &[std::slice::from_ref(first), rest].concat(), left)
            }
            Target::Module(_) | Target::Item(_) => None,
        };
        imported
            .filter(|import| import.path.first() != Some(first) || import.path.len() > 1)
            .find_map(|import| through(&import.path))
            .or_else(|| {
                globs
                    .filter(|import| !import.path.is_empty())
                    .find_map(|import| from_all(&import.path))
            })
            .or_else(|| child.map(Target::Module))
    }
}
