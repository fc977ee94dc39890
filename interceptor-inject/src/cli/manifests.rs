// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Changes the documents of files one by one, and collects text and report. It prints nothing.

use anyhow::{Context as _, Result};

use super::{change::Change, diff, explain, input::Input};
use crate::{
    Verdict, Workload,
    yaml::{Document, Source, has_directives, is_separator, split},
};

const BOM: &str = "\u{feff}";

/// What comes out.
#[derive(Default)]
pub(super) struct Manifests {
    /// All documents of all files.
    pub(super) text: String,
    /// What changes in each file.
    pub(super) diff: String,
    /// Whether the report is to say which rules were asked.
    pub(super) explain: bool,
    /// How many workloads there are.
    pub(super) workloads: usize,
    /// Lines about the workloads, and whether each is a warning.
    pub(super) report: Vec<(bool, String)>,
    /// How many workloads are left alone that have not opted out.
    pub(super) left_alone: usize,
}

impl Manifests {
    /// Adds the documents of a file.
    pub(super) fn add(&mut self, input: &Input, change: &Change) -> Result<()> {
        let mut new = String::with_capacity(input.text.len());
        let mut number = 0;
        for source in split(&input.text) {
            let first_line = source.first_line;
            let read = Document::read(source);
            // What says nothing is not counted.
            let says_nothing = matches!(&read, Ok(read) if read.as_ref().is_none_or(Document::is_empty));
            number += usize::from(!says_nothing);
            let named = || format!("{}, document {number}", input.name);
            let Some(document) = read.with_context(named)? else {
                new.push_str(source.text);
                continue;
            };
            new.push_str(
                &self
                    .changed(source, &document, change)
                    .with_context(|| format!("{}, document {number}, which begins at line {first_line}", input.name))?,
            );
        }
        self.diff.push_str(&diff::unified(&input.name, &input.text, &new));
        self.append(&new);
        Ok(())
    }

    fn changed(&mut self, source: Source<'_>, document: &Document<'_>, change: &Change) -> Result<String> {
        if document.is_empty() {
            return Ok(source.text.to_owned());
        }
        let outcome = change.apply(&document.value)?;
        for workload in &outcome.workloads {
            self.report(workload, change);
        }
        if outcome.manifest == document.value {
            Ok(source.text.to_owned())
        } else {
            Ok(document.with_value(&outcome.manifest)?)
        }
    }

    fn report(&mut self, workload: &Workload, change: &Change) {
        let title = workload.title();
        let (is_warning, line) = match &workload.verdict {
            Verdict::Changed { warnings } if warnings.is_empty() => (false, format!("{title}: {}", change.done())),
            Verdict::Changed { warnings } => (true, format!("{title}: {}, but {}", change.done(), warnings.join("; "))),
            Verdict::Unchanged => (false, format!("{title}: unchanged, because it is {} already", change.done())),
            Verdict::LeftAlone(reason) => {
                self.left_alone += usize::from(!reason.is_wanted());
                (reason.is_surprising(), format!("{title}: left alone, because {reason}"))
            }
        };
        self.workloads += 1;
        self.report.push((is_warning, line));
        if self.explain {
            let lines = explain::lines(&workload.verdict);
            self.report.extend(lines.into_iter().map(|line| (false, format!("  {line}"))));
        }
    }

    /// Adds the text of a file to those before it, as documents of their own.
    fn append(&mut self, file: &str) {
        if self.text.is_empty() {
            self.text.push_str(file);
            return;
        }
        let file = file.strip_prefix(BOM).unwrap_or(file);
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        if has_directives(file) {
            self.text.push_str("...\n");
        } else if !file.lines().next().is_some_and(is_separator) {
            self.text.push_str("---\n");
        }
        self.text.push_str(file);
    }
}
