// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the text of every file has to be like. Knows no syntax but that of comments.

use super::files::File;
use super::source::lines_with_keyword;

const LICENSE: &str = "// SPDX-License-Identifier: Apache-2.0 OR MIT";

/// `unsafe` stays where kernel memory and system calls are: these folders are read with that in mind.
const MAY_BE_UNSAFE: [&str; 2] = ["interceptor-ebpf", "interceptor/src/kernel"];

/// A file that is longer holds more than one thing.
const LONGEST_FILE: usize = 400;

/// rustfmt breaks code at this column, but no text and no comments.
const WIDEST_CODE: usize = 120;

/// Where prose is broken. A table and a block of code stay as they are.
const WIDEST_PROSE: usize = 100;

/// The `//!` that says what a file is stands in one of so many first lines.
const DOC_WITHIN: usize = 5;

/// What is wrong with a Rust file.
pub(super) fn rust(file: &File) -> Vec<String> {
    let problems = [license(file), misplaced_unsafe(file), too_long(file), without_doc(file), too_wide(file)];
    problems.into_iter().flatten().collect()
}

/// What is wrong with a file of prose, in Markdown.
pub(super) fn prose(file: &File) -> Vec<String> {
    let mut in_code = false;
    let mut problems = Vec::new();
    for (line, number) in file.text.lines().zip(1..) {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        // A reference to a page cannot be broken.
        let reference = line.starts_with('[') && line.contains("]: http");
        if !in_code && !fence && !reference && !line.trim_start().starts_with('|') {
            problems.extend(width(file, line, number, WIDEST_PROSE));
        }
    }
    problems
}

fn license(file: &File) -> Vec<String> {
    let is_first = file.text.lines().next() == Some(LICENSE);
    let problem = (!is_first).then(|| format!("{}:1: the first line is not `{LICENSE}`", file.path.display()));
    problem.into_iter().collect()
}

fn misplaced_unsafe(file: &File) -> Vec<String> {
    if MAY_BE_UNSAFE.iter().any(|folder| file.path.starts_with(folder)) {
        return Vec::new();
    }
    let lines = lines_with_keyword(&file.text, "unsafe").into_iter();
    lines
        .map(|line| {
            format!(
                "{}:{line}: `unsafe` outside {}",
                file.path.display(),
                MAY_BE_UNSAFE.join(" and ")
            )
        })
        .collect()
}

fn too_long(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    let problem = (lines > LONGEST_FILE)
        .then(|| format!("{}: {lines} lines, more than {LONGEST_FILE}; divide it", file.path.display()));
    problem.into_iter().collect()
}

fn without_doc(file: &File) -> Vec<String> {
    let has_doc = file.text.lines().take(DOC_WITHIN).any(|line| line.starts_with("//! "));
    let problem = (!has_doc).then(|| {
        format!(
            "{}:2: no `//!` says what this file is, and what it never does",
            file.path.display()
        )
    });
    problem.into_iter().collect()
}

fn too_wide(file: &File) -> Vec<String> {
    let lines = file.text.lines().zip(1..);
    lines
        .filter(|(line, _number)| !is_link(line))
        .filter_map(|(line, number)| width(file, line, number, WIDEST_CODE))
        .collect()
}

/// Whether a comment is a link and nothing else. A link cannot be broken.
fn is_link(line: &str) -> bool {
    let text = line.trim_start().trim_start_matches(['/', '!']).trim();
    line.trim_start().starts_with("//") && text.contains("](https://") && !text.contains(' ')
}

fn width(file: &File, line: &str, number: usize, widest: usize) -> Option<String> {
    let width = line.chars().count();
    (width > widest).then(|| format!("{}:{number}: {width} columns, more than {widest}", file.path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.into(), text: text.into() }
    }

    fn good() -> String {
        format!("{LICENSE}\n//! A file.\n\nfn f() {{}}\n")
    }

    #[test]
    fn a_good_file_has_no_problem() {
        assert_eq!(rust(&file("a/src/lib.rs", &good())), [""; 0]);
    }

    #[test]
    fn the_first_line_is_the_license() {
        let good = good();
        let rest = good.strip_prefix(LICENSE).unwrap();
        for text in [rest, &format!("\n{good}"), &format!("// SPDX-License-Identifier: MIT{rest}")] {
            let problems = rust(&file("a/src/lib.rs", text));
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with("a/src/lib.rs:1: the first line is not"), "{problems:?}");
        }
    }

    #[test]
    fn unsafe_is_reported_outside_its_folders() {
        let source = "fn f() {\n    unsafe { g() }\n}\n";
        let problems = |path: &str| misplaced_unsafe(&file(path, source));
        assert!(problems("interceptor/src/cli/run.rs")[0].starts_with("interceptor/src/cli/run.rs:2:"));
        assert_eq!(problems("interceptor/src/kernel_names.rs").len(), 1);
        assert!(problems("interceptor/src/kernel/maps.rs").is_empty());
        assert!(problems("interceptor-ebpf/src/main.rs").is_empty());
    }

    #[test]
    fn a_long_file_is_reported() {
        let lines = |count: usize| format!("{}{}", good(), "// more\n".repeat(count - 4));
        assert_eq!(rust(&file("a.rs", &lines(400))), [""; 0]);
        assert_eq!(rust(&file("a.rs", &lines(401))), ["a.rs: 401 lines, more than 400; divide it"]);
    }

    #[test]
    fn a_file_without_a_doc_is_reported() {
        let problem = ["a.rs:2: no `//!` says what this file is, and what it never does"];
        assert_eq!(rust(&file("a.rs", &format!("{LICENSE}\nfn f() {{}}\n"))), problem);
        assert_eq!(rust(&file("a.rs", &format!("{LICENSE}\n//!\nfn f() {{}}\n"))), problem);
        assert_eq!(rust(&file("a.rs", &format!("{LICENSE}\n\n\n\n\n//! Late.\n"))), problem);
        assert_eq!(
            rust(&file("a.rs", &format!("{LICENSE}\n#![no_std]\n\n//! In time.\n"))),
            [""; 0]
        );
    }

    #[test]
    fn a_wide_line_of_code_is_reported() {
        let text = |width: usize| format!("{}// {}\n", good(), "ä".repeat(width - 3));
        assert_eq!(rust(&file("a.rs", &text(120))), [""; 0]);
        assert_eq!(rust(&file("a.rs", &text(121))), ["a.rs:5: 121 columns, more than 120"]);
    }

    #[test]
    fn prose_is_broken_and_tables_code_and_references_are_not() {
        let wide = "word ".repeat(30);
        assert_eq!(
            prose(&file("a.md", &format!("Short.\n{wide}\n"))),
            ["a.md:2: 150 columns, more than 100"]
        );
        let untouched = format!(
            "| {wide} |\n\n```text\n{wide}\n```\n\n[page]: https://example.org/{}\n",
            wide.trim()
        );
        assert_eq!(prose(&file("a.md", &untouched)), [""; 0]);
        assert_eq!(prose(&file("a.md", &format!("{untouched}{wide}\n"))).len(), 1);
    }
}
