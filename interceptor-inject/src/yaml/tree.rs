// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A document as a tree of nodes that know where in the text they stand. What is ambiguous or too large is refused,
//! with its line.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput, StructureStyle, Tag};
use serde_json::Value;

use super::{
    fault::Fault,
    merge::{self, Pair},
    scalar,
};

/// How many values the aliases of one document may stand for. A few lines of aliases of aliases can stand for billions.
const MOST_ALIASED: usize = 100_000;

#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Node,
    /// The values of the nodes with an anchor.
    anchored: HashMap<usize, Value>,
}

#[derive(Debug)]
pub(super) struct Node {
    /// In the text, without anchor and tag. For blocks, up to the end of the last line that says something.
    pub(super) range: Range<usize>,
    /// Of the first character, counted from 0.
    pub(super) column: usize,
    pub(super) line: usize,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Scalar(Value),
    Sequence(Style, Vec<Node>),
    Mapping(Style, Vec<Entry>),
    Alias(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// By indentation.
    Block,
    /// In brackets.
    Flow,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key begins.
    pub(super) start: usize,
    pub(super) line: usize,
    /// Whether the key is `<<`, which adds the entries of another mapping.
    pub(super) is_merge: bool,
    pub(super) value: Node,
}

/// Reads a document; `None` if there is none.
pub(super) fn read(text: &str) -> Result<Option<Tree>, Fault> {
    // Another crate of the same program may have turned comments on, for all who use the parser.
    let mut options = Options::default();
    options.set_emit_comments(false);
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { text, parser, anchored: HashMap::new(), aliased: 0 };
    let mut root = None;
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => break,
            (Event::StreamStart | Event::DocumentEnd, _) => {}
            (Event::DocumentStart(..), span) if root.is_some() => {
                return Err(fault(span, "a second document begins here; write a line `---` above it"));
            }
            (Event::DocumentStart(..), _) => {
                let next = reader.next()?;
                root = Some(reader.node(next)?);
            }
            (_, span) => return Err(fault(span, "the document has no end; remove what stands behind it")),
        }
    }
    let anchored = reader.anchored;
    Ok(root.map(|root| Tree { root, anchored }))
}

impl Tree {
    /// The value of a node, with the values of aliases in place of the aliases.
    pub(super) fn value(&self, node: &Node) -> Result<Value, Fault> {
        value(node, &self.anchored)
    }
}

struct Reader<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    anchored: HashMap<usize, Value>,
    aliased: usize,
}

impl<'a> Reader<'a> {
    /// The next event.
    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(Fault::new(error.marker().line(), format!("not valid YAML: {}", error.info()))),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// Reads the node that begins with an event. There is no recursion: a document may be nested deeply.
    fn node(&mut self, first: (Event<'a>, Span)) -> Result<Node, Fault> {
        let mut open: Vec<Open> = Vec::new();
        let (mut event, mut span) = first;
        loop {
            let complete = match event {
                Event::SequenceStart(style, anchor, tag) => {
                    expect_core(tag.as_deref(), "seq", span)?;
                    open.push(Open::new(Content::Sequence(style.into(), Vec::new()), anchor, span)?);
                    None
                }
                Event::MappingStart(style, anchor, tag) => {
                    expect_core(tag.as_deref(), "map", span)?;
                    open.push(Open::new(Content::Mapping(style.into(), Vec::new()), anchor, span)?);
                    None
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let value = scalar_value(&text, style, tag.as_deref(), span)?;
                    Some(Open::new(Content::Scalar(value), anchor, span)?.close(self.text, span)?)
                }
                Event::Alias(anchor) => {
                    self.expand(anchor, span)?;
                    Some(Open::new(Content::Alias(anchor), 0, span)?.close(self.text, span)?)
                }
                Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                    Some(collection) => Some(collection.close(self.text, span)?),
                    None => return Err(fault(span, "a value is expected here")),
                },
                _ => return Err(fault(span, "a value is expected here")),
            };
            if let Some((node, anchor)) = complete {
                if anchor != 0 {
                    let value = value(&node, &self.anchored)?;
                    self.anchored.insert(anchor, value);
                }
                match open.last_mut() {
                    None => return Ok(node),
                    Some(collection) => collection.add(self.text, node)?,
                }
            }
            (event, span) = self.next()?;
        }
    }

    /// Counts what an alias stands for.
    fn expand(&mut self, anchor: usize, span: Span) -> Result<(), Fault> {
        let target = self.anchored.get(&anchor);
        self.aliased += count(target.ok_or_else(|| fault(span, "an alias of what it stands in"))?);
        if self.aliased > MOST_ALIASED {
            let reason = format!("the aliases of this document stand for more than {MOST_ALIASED} values");
            return Err(fault(span, &reason));
        }
        Ok(())
    }
}

/// A node that is not read to its end.
struct Open {
    start: usize,
    column: usize,
    line: usize,
    anchor: usize,
    content: Content,
    /// A key whose value has not come yet.
    key: Option<Node>,
    keys: HashSet<String>,
}

impl Open {
    fn new(content: Content, anchor: usize, span: Span) -> Result<Self, Fault> {
        let (column, line) = (span.start.col(), span.start.line());
        Ok(Self {
            start: range(span)?.start,
            column,
            line,
            anchor,
            content,
            key: None,
            keys: HashSet::new(),
        })
    }

    fn add(&mut self, text: &str, node: Node) -> Result<(), Fault> {
        match (&mut self.content, self.key.take()) {
            (Content::Sequence(_, items), _) => items.push(node),
            (Content::Mapping(..), None) => self.key = Some(node),
            (Content::Mapping(_, entries), Some(key)) => {
                let entry = entry(text, &key, node)?;
                if !self.keys.insert(entry.key.clone()) {
                    let reason = format!("the key {:?} is here a second time; remove one", entry.key);
                    return Err(Fault::new(entry.line, reason));
                }
                entries.push(entry);
            }
            (Content::Scalar(_) | Content::Alias(_), _) => {}
        }
        Ok(())
    }

    /// The node, and its anchor.
    fn close(self, text: &str, end: Span) -> Result<(Node, usize), Fault> {
        let Self { start, column, line, anchor, content, .. } = self;
        let end = match &content {
            Content::Sequence(Style::Block, items) => items.last().map_or(start, |item| item.range.end),
            Content::Mapping(Style::Block, entries) => entries.last().map_or(start, |entry| entry.value.range.end),
            _ => range(end)?.end,
        };
        // A block scalar reaches to the next token, over blank lines.
        let end = start + text.get(start..end).unwrap_or_default().trim_end().len();
        Ok((Node { range: start..end, column, line, content }, anchor))
    }
}

fn entry(text: &str, key: &Node, mut value: Node) -> Result<Entry, Fault> {
    if value.range.is_empty() {
        // Nothing stands behind the colon.
        let colon = text.get(key.range.end..).and_then(|rest| rest.find(':'));
        let end = key.range.end + colon.map_or(0, |colon| colon + 1);
        value.range = end..end;
    }
    find_dash(text, &mut value, key.column);
    let is_merge = text.get(key.range.clone()) == Some("<<");
    Ok(Entry { key: name(key)?, start: key.range.start, line: key.line, is_merge, value })
}

/// A sequence may stand at the column of its key. The parser then says where the first item begins, and not where its
/// dash is.
fn find_dash(text: &str, value: &mut Node, key_column: usize) {
    // All of a large file may be on one line, in brackets; then the line is not searched.
    if !matches!(value.content, Content::Sequence(Style::Block, _)) || value.column <= key_column {
        return;
    }
    let line = text[..value.range.start].rfind('\n').map_or(0, |newline| newline + 1);
    let dash = line + key_column;
    if text.get(dash..).is_some_and(|rest| rest.starts_with('-')) {
        value.range.start = dash;
        value.column = key_column;
    }
}

impl From<StructureStyle> for Style {
    fn from(style: StructureStyle) -> Self {
        match style {
            StructureStyle::Block => Self::Block,
            StructureStyle::Flow => Self::Flow,
        }
    }
}

fn scalar_value(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Value, Fault> {
    let plain = || scalar::resolve(text).ok_or_else(|| fault(span, "JSON, and so Kubernetes, has no such number"));
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain {
            plain()
        } else {
            Ok(Value::String(text.to_owned()))
        };
    };
    let value = match tag.core_suffix() {
        Some("str") => Some(Value::String(text.to_owned())),
        Some("bool") => Some(plain()?).filter(Value::is_boolean),
        Some("int" | "float") => Some(plain()?).filter(Value::is_number),
        Some("null") => Some(plain()?).filter(Value::is_null),
        _ => None,
    };
    value.ok_or_else(|| {
        fault(
            span,
            "this tag says something else than the value, or has no meaning in Kubernetes",
        )
    })
}

fn expect_core(tag: Option<&Tag>, suffix: &str, span: Span) -> Result<(), Fault> {
    match tag {
        Some(tag) if tag.core_suffix() != Some(suffix) => Err(fault(span, "this tag has no meaning in Kubernetes")),
        _ => Ok(()),
    }
}

/// A key as JSON has it: a string.
fn name(key: &Node) -> Result<String, Fault> {
    match &key.content {
        Content::Scalar(Value::String(name)) => Ok(name.clone()),
        Content::Scalar(value @ (Value::Bool(_) | Value::Number(_))) => Ok(value.to_string()),
        _ => Err(Fault::new(key.line, "a key has to be a word".to_owned())),
    }
}

fn value(node: &Node, anchored: &HashMap<usize, Value>) -> Result<Value, Fault> {
    match &node.content {
        Content::Scalar(value) => Ok(value.clone()),
        Content::Sequence(_, items) => items.iter().map(|item| value(item, anchored)).collect(),
        Content::Mapping(_, entries) => {
            let pairs = entries.iter().map(|Entry { key, is_merge, value: node, .. }| {
                let value = value(node, anchored)?;
                Ok(Pair { name: key, is_merge: *is_merge, line: node.line, value })
            });
            merge::merged(pairs.collect::<Result<_, Fault>>()?).map(Value::Object)
        }
        Content::Alias(anchor) => Ok(anchored.get(anchor).cloned().unwrap_or_default()),
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

fn range(span: Span) -> Result<Range<usize>, Fault> {
    span.byte_range().ok_or_else(|| fault(span, "the parser lost its place"))
}

fn fault(span: Span, reason: &str) -> Fault {
    Fault::new(span.start.line(), reason.to_owned())
}
