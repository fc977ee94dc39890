// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The variables of tests and benchmarks: docs/testing.md lists those that the sources name, and no others. Variables
//! of the product are settings, and not meant here.

use std::collections::BTreeSet;
use std::path::Path;

use super::files::File;

const DOCUMENT: &str = "docs/testing.md";
const HEADING: &str = "\n## Variables\n";
/// Where variables are read that are not the product's.
const READERS: [&str; 8] = [
    "testkit",
    "tests",
    "bench",
    "fuzz",
    "xtask",
    "toolchain",
    "interceptor/tests",
    "interceptor-agent/tests",
];

pub(super) fn variables(rust: &[File], prose: &[File]) -> Vec<String> {
    let read = rust
        .iter()
        .filter(|file| READERS.iter().any(|folder| file.path.starts_with(folder)));
    let used: BTreeSet<&str> = read.flat_map(|file| names(&file.text)).collect();
    let document = prose.iter().find(|file| file.path == Path::new(DOCUMENT));
    let Some(section) = document.and_then(|file| file.text.split(HEADING).nth(1)) else {
        return vec![format!("{DOCUMENT}: lacks the section Variables")];
    };
    let listed: BTreeSet<&str> = section.lines().filter_map(first_cell).collect();
    let missing = used
        .difference(&listed)
        .map(|name| format!("{DOCUMENT}: lacks {name}, which a test reads"));
    let stale = listed
        .difference(&used)
        .map(|name| format!("{DOCUMENT}: lists {name}, which no test reads"));
    missing.chain(stale).collect()
}

/// The variables that are whole texts in Rust source: a name between quotes.
fn names(source: &str) -> impl Iterator<Item = &str> {
    let quoted = source.split('"').skip(1).step_by(2);
    quoted.filter(|text| is_variable(text))
}

fn is_variable(text: &str) -> bool {
    text.strip_prefix("INTERCEPTOR_")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
}

/// The variable in the first cell of a row.
fn first_cell(line: &str) -> Option<&str> {
    let name = line.strip_prefix("| `")?.split('`').next()?;
    is_variable(name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.into(), text: text.to_owned() }
    }

    #[test]
    fn a_variable_that_only_one_side_names_is_a_problem() {
        let prose = [file(
            DOCUMENT,
            "# Tests\n\n## Variables\n\n| Variable |\n|---|\n| `INTERCEPTOR_OLD` | … |\n",
        )];
        let rust = [
            file("tests/a.rs", "var(\"INTERCEPTOR_NEW\"); say(\"set INTERCEPTOR_TEXT=1\");"),
            file("interceptor-config/a.rs", "var(\"INTERCEPTOR_SETTING\");"),
        ];
        assert_eq!(
            variables(&rust, &prose),
            [
                "docs/testing.md: lacks INTERCEPTOR_NEW, which a test reads",
                "docs/testing.md: lists INTERCEPTOR_OLD, which no test reads"
            ]
        );
    }

    #[test]
    fn a_document_without_the_section_is_a_problem() {
        assert_eq!(variables(&[], &[]).len(), 1);
    }
}
