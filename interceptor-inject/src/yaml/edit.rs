// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Writes a new value into the text of a document, only where it differs. Nothing here judges whether the result says
//! what it is to say; the caller reads it again.

use std::{collections::HashSet, ops::Range};

use serde_json::{Map, Value};

use super::{
    emit,
    tree::{Content, Entry, Node, Style, Tree},
};

/// The text with `new` in place of the value of `tree`. `None` if this takes more than a few edits.
pub(super) fn edit(text: &str, tree: &Tree, new: &Value) -> Option<String> {
    let mut editor = Editor { text, tree, edits: Vec::new() };
    editor.change(&tree.root, new, Place::Item)?;
    editor.apply()
}

/// The text with everything from the beginning of the root node on replaced. What stands above stays.
pub(super) fn replace_all(text: &str, tree: &Tree, new: &Value) -> String {
    let root = &tree.root.range;
    let line = text[..root.start].rfind('\n').map_or(0, |newline| newline + 1);
    // `--- {}` and `--- !tag` stand on the line of the document's beginning.
    let is_first = text[line..root.start].trim().is_empty();
    let (above, gap) = if is_first { (&text[..line], "") } else { ("", "---\n") };
    with_newlines_of(text, format!("{above}{gap}{}\n", emit::block(new, 0)))
}

struct Editor<'a> {
    text: &'a str,
    tree: &'a Tree,
    edits: Vec<(Range<usize>, String)>,
}

/// Where a node stands.
#[derive(Clone, Copy)]
enum Place {
    /// Behind the colon of a key at this column.
    Value(usize),
    /// Behind the dash of a sequence, or at the top.
    Item,
    /// In brackets.
    Flow,
}

impl Editor<'_> {
    fn change(&mut self, node: &Node, new: &Value, place: Place) -> Option<()> {
        if self.is(node, new) {
            return Some(());
        }
        match (&node.content, new) {
            (Content::Mapping(style, entries), Value::Object(fields)) if may_edit(entries, fields) => {
                self.mapping(node, *style, entries, fields)
            }
            (Content::Sequence(Style::Block, items), Value::Array(new_items)) if !new_items.is_empty() => {
                self.sequence(node, items, new_items, place)
            }
            _ => self.replace(node, new, place),
        }
    }

    fn is(&self, node: &Node, value: &Value) -> bool {
        self.tree.value(node).is_ok_and(|own| own == *value)
    }

    fn mapping(&mut self, node: &Node, style: Style, entries: &[Entry], fields: &Map<String, Value>) -> Option<()> {
        let is_gone = |entry: &Entry| !fields.contains_key(&entry.key);
        if style == Style::Flow && entries.iter().any(is_gone) {
            self.push(node.range.clone(), emit::flow(&Value::Object(fields.clone())));
            return Some(());
        }
        for (index, entry) in entries.iter().enumerate() {
            match fields.get(&entry.key) {
                Some(value) => {
                    let place = if style == Style::Flow { Place::Flow } else { Place::Value(node.column) };
                    self.change(&entry.value, value, place)?;
                }
                None if index > 0 => {
                    let start = self.line_end(entries[index - 1].value.range.end);
                    self.push(start..self.line_end(entry.value.range.end), String::new());
                }
                None => self.push(entry.start..entries.get(1)?.start, String::new()),
            }
        }
        let last = entries.last()?.value.range.end;
        let old: HashSet<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        for (key, value) in fields.iter().filter(|(key, _value)| !old.contains(key.as_str())) {
            let (at, text) = match style {
                Style::Flow => (last, format!(", {}", emit::flow_entry(key, value))),
                Style::Block => (self.line_end(last), line(node.column, &emit::entry(key, value, node.column))),
            };
            self.push(at..at, text);
        }
        Some(())
    }

    /// Items may be changed in place, added at the end, or taken out.
    fn sequence(&mut self, node: &Node, items: &[Node], new: &[Value], place: Place) -> Option<()> {
        if new.len() >= items.len() {
            for (item, value) in items.iter().zip(new) {
                self.change(item, value, Place::Item)?;
            }
            let at = self.line_end(items.last()?.range.end);
            for value in &new[items.len()..] {
                let item = format!("- {}", emit::block(value, node.column + 2));
                let text = line(node.column, &item);
                self.push(at..at, text);
            }
            return Some(());
        }
        let mut wanted = new.iter().peekable();
        let kept: Vec<bool> = items
            .iter()
            .map(|item| wanted.next_if(|value| self.is(item, value)).is_some())
            .collect();
        if wanted.peek().is_some() || !*kept.first()? {
            return self.replace(node, &Value::Array(new.to_vec()), place);
        }
        for (index, _) in kept.iter().enumerate().filter(|(_, is_kept)| !**is_kept) {
            let start = self.line_end(items[index - 1].range.end);
            self.push(start..self.line_end(items[index].range.end), String::new());
        }
        Some(())
    }

    fn replace(&mut self, node: &Node, new: &Value, place: Place) -> Option<()> {
        let range = node.range.clone();
        match (place, &node.content) {
            (Place::Flow, _) => self.push(range, emit::flow(new)),
            (_, Content::Mapping(Style::Block, _) | Content::Sequence(Style::Block, _)) if is_collection(new) => {
                self.push(range, emit::block(new, node.column));
            }
            (Place::Item, _) => self.push(range, emit::block(new, node.column)),
            // Of a block below its key, the line break goes too.
            (Place::Value(column), _) => {
                let colon = self.text[..range.start].trim_end().len();
                if !self.text[..colon].ends_with(':') {
                    return None;
                }
                self.push(colon..range.end, emit::below(new, column));
            }
        }
        Some(())
    }

    fn push(&mut self, range: Range<usize>, text: String) {
        self.edits.push((range, text));
    }

    /// The end of the line that `at` is in.
    fn line_end(&self, at: usize) -> usize {
        let rest = &self.text[at..];
        at + rest.lines().next().unwrap_or_default().len()
    }

    /// Carries the edits out; `None` if two of them overlap.
    fn apply(mut self) -> Option<String> {
        self.edits.sort_by_key(|(range, _text)| (range.start, range.end));
        let (mut out, mut done) = (String::with_capacity(self.text.len()), 0);
        for (range, text) in &self.edits {
            out.push_str(self.text.get(done..range.start)?);
            out.push_str(&with_newlines_of(self.text, text.clone()));
            done = range.end;
        }
        out.push_str(self.text.get(done..)?);
        Some(out)
    }
}

/// A new line below another.
fn line(column: usize, text: &str) -> String {
    format!("\n{}{text}", " ".repeat(column))
}

/// Whether a mapping can be edited entry by entry: none comes from elsewhere, and one stays that others stand below.
fn may_edit(entries: &[Entry], fields: &Map<String, Value>) -> bool {
    entries.iter().all(|entry| !entry.is_merge) && entries.iter().any(|entry| fields.contains_key(&entry.key))
}

fn is_collection(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => false,
    }
}

fn with_newlines_of(text: &str, new: String) -> String {
    if text.contains("\r\n") { new.replace('\n', "\r\n") } else { new }
}
