// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Divides a file into its documents, at lines that begin with `---`, as kubectl does
//! ([`decoder.go`](https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/util/yaml/decoder.go)).
//! No byte is lost: the documents together are the file.

const BOM: &str = "\u{feff}";

/// The text of one document, with the line `---` above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source<'a> {
    pub(crate) text: &'a str,
    /// Where the text begins in its file, counted from 1.
    pub(crate) first_line: usize,
}

impl<'a> Source<'a> {
    /// The byte order mark at the beginning of the file, if there is one.
    pub(super) fn bom(&self) -> &'a str {
        &self.text[..self.text.len() - self.yaml().len()]
    }

    /// The text without a byte order mark.
    pub(super) fn yaml(&self) -> &'a str {
        self.text.strip_prefix(BOM).unwrap_or(self.text)
    }
}

/// The documents of a file. Directives, such as `%YAML 1.2`, belong to the document below. Above them, a line `...`
/// ends a document.
pub(crate) fn split(file: &str) -> Vec<Source<'_>> {
    let mut sources = Vec::new();
    let (mut start, mut first_line) = (0, 1);
    // Behind the last line that ends a document.
    let (mut end, mut end_line) = (0, 1);
    let mut at = 0;
    for (line, number) in file.split_inclusive('\n').zip(1..) {
        if is_separator(line) && at > start && !is_preamble(&file[start..at]) {
            let (next, next_line) = if end > start && is_preamble(&file[end..at]) {
                (end, end_line)
            } else {
                (at, number)
            };
            sources.push(Source { text: &file[start..next], first_line });
            (start, first_line) = (next, next_line);
        }
        at += line.len();
        if is_end(line) {
            (end, end_line) = (at, number + 1);
        }
    }
    sources.push(Source { text: &file[start..], first_line });
    sources
}

/// Whether a document begins with this line.
pub(crate) fn is_separator(line: &str) -> bool {
    let rest = line.strip_prefix("---");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Whether a document ends with this line.
fn is_end(line: &str) -> bool {
    line.strip_prefix("...").is_some_and(|rest| rest.trim().is_empty())
}

/// Whether a text begins with directives.
pub(crate) fn has_directives(text: &str) -> bool {
    text.lines().find(|line| !is_blank(line)).is_some_and(is_directive)
}

/// Whether a text is directives and nothing else.
fn is_preamble(text: &str) -> bool {
    let text = text.strip_prefix(BOM).unwrap_or(text);
    has_directives(text) && text.lines().all(|line| is_directive(line) || is_blank(line))
}

fn is_directive(line: &str) -> bool {
    line.starts_with('%')
}

fn is_blank(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}
