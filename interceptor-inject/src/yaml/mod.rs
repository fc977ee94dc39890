// SPDX-License-Identifier: Apache-2.0 OR MIT
//! YAML whose text stays: a document is read into a tree that knows where everything stands, and only the places where
//! a new value differs are written anew. Every edit is checked by reading the result again.
//!
//! JSON is YAML, so files of JSON are read too.

mod edit;
mod emit;
mod fault;
mod merge;
mod scalar;
mod split;
mod tree;

use serde_json::Value;

pub(crate) use self::{
    fault::Fault,
    split::{Source, has_directives, is_separator, split},
};

/// What the only document of a text says; `null` if it says nothing.
pub(crate) fn read_one(text: &str) -> Result<Value, Fault> {
    let mut found = None;
    for source in split(text) {
        let Some(document) = Document::read(source)?.filter(|document| !document.is_empty()) else {
            continue;
        };
        if found.is_some() {
            return Err(Fault::new(
                source.first_line,
                "a second document begins here; give one".to_owned(),
            ));
        }
        found = Some(document.value);
    }
    Ok(found.unwrap_or_default())
}

/// A value as a text of YAML.
pub(crate) fn written(value: &Value) -> String {
    emit::block(value, 0) + "\n"
}

/// A document that was read.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    source: Source<'a>,
    tree: tree::Tree,
    /// What the document says.
    pub(crate) value: Value,
}

impl<'a> Document<'a> {
    /// Reads a document; `None` if there is nothing but comments in it.
    pub(crate) fn read(source: Source<'a>) -> Result<Option<Self>, Fault> {
        let at_line = |fault: Fault| fault.below(source.first_line);
        let Some(tree) = tree::read(source.yaml()).map_err(at_line)? else {
            return Ok(None);
        };
        let value = tree.value(&tree.root).map_err(at_line)?;
        Ok(Some(Self { source, tree, value }))
    }

    /// Whether the document says nothing, as between two separators.
    pub(crate) fn is_empty(&self) -> bool {
        self.value.is_null()
    }

    /// The text of the document with another value. Comments and notation stay, except where the value differs.
    pub(crate) fn with_value(&self, new: &Value) -> Result<String, Fault> {
        let (bom, yaml) = (self.source.bom(), self.source.yaml());
        let says_new = |text: &String| {
            let tree = tree::read(text).ok().flatten();
            tree.is_some_and(|tree| tree.value(&tree.root).is_ok_and(|value| value == *new))
        };
        let edited = edit::edit(yaml, &self.tree, new).filter(says_new);
        match edited.or_else(|| Some(edit::replace_all(yaml, &self.tree, new)).filter(says_new)) {
            Some(text) => Ok(format!("{bom}{text}")),
            None => Err(Fault::new(
                1,
                "the document cannot be written in YAML without changing its meaning".to_owned(),
            )
            .below(self.source.first_line)),
        }
    }
}
