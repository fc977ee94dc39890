// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tells code from comments and text in Rust source. Knows no more of the syntax than that.

/// The line numbers, from 1, on which `keyword` stands as a word of code.
pub(super) fn lines_with_keyword(source: &str, keyword: &str) -> Vec<usize> {
    let code = blank_comments_and_text(source);
    let is_in = |line: &str| {
        line.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .any(|word| word == keyword)
    };
    code.lines()
        .zip(1..)
        .filter(|(line, _)| is_in(line))
        .map(|(_, number)| number)
        .collect()
}

/// The source with comments, strings and character literals replaced by spaces; line breaks stay.
pub(super) fn blank_comments_and_text(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(letter) = rest.chars().next() {
        let skipped = length_of_comment_or_text(rest);
        let (taken, after) = rest.split_at(if skipped == 0 { letter.len_utf8() } else { skipped });
        if skipped == 0 {
            code.push_str(taken);
        } else {
            code.extend(taken.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    code
}

/// How many bytes of `rest` are a comment, a string or a character literal; 0 when it starts with code.
fn length_of_comment_or_text(rest: &str) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return length_of_block_comment(rest);
    }
    if rest.starts_with('"') {
        return length_of_quoted(rest, '"');
    }
    // A raw string, also with a prefix (`br`, `cr`): since edition 2021 no other word may touch a quote.
    if let Some(text) = rest.strip_prefix('r') {
        let hashes = text.len() - text.trim_start_matches('#').len();
        if text[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = 1 + hashes + 1;
            return rest[start..].find(&end).map_or(rest.len(), |found| start + found + end.len());
        }
    }
    // 'a' and '\n' are literals, 'a without a second quote is a lifetime.
    let mut letters = rest.chars();
    match (letters.next(), letters.next(), letters.next()) {
        (Some('\''), Some('\\'), _) | (Some('\''), Some(_), Some('\'')) => length_of_quoted(rest, '\''),
        _ => 0,
    }
}

/// Block comments nest.
fn length_of_block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn length_of_quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if letter == quote {
            return at + quote.len_utf8();
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_unsafe(source: &str) -> bool {
        !lines_with_keyword(source, "unsafe").is_empty()
    }

    #[test]
    fn code_is_found() {
        for source in [
            "unsafe { x() }",
            "pub unsafe fn f() {}",
            "#[unsafe(no_mangle)]",
            "f(\"text\");unsafe{}",
            "/* a /* b */ c */ unsafe impl Send for X {}",
            "let a = '\"'; unsafe {} let b = '\"';",
            "fn f<'a>(x: &'a u8) { unsafe {} } // 'a",
            "let s = r#\"a\"b\"#; unsafe {}",
            "let s = \"\\\"\"; unsafe {}",
            "let c = '\\''; unsafe {}",
            "let c = b'\\\\'; unsafe {}",
            "let c = cr\"\\\"; unsafe {}",
        ] {
            assert!(has_unsafe(source), "{source}");
        }
    }

    #[test]
    fn comments_text_and_longer_words_are_not_code() {
        for source in [
            "// unsafe",
            "/// unsafe\nfn f() {}",
            "/* /* unsafe */ unsafe */",
            "#![forbid(unsafe_code)]",
            "let s = \"unsafe\";",
            "let s = \"a\\\" unsafe\";",
            "let s = r#\"\" unsafe \"#;",
            "let s = br\"\\\";  // unsafe",
            "let s = cr#\"\" unsafe\"#;",
            "let not_unsafe = 1;",
        ] {
            assert!(!has_unsafe(source), "{source}");
        }
    }

    #[test]
    fn lines_are_counted_through_comments_and_text() {
        let source = "/* one\ntwo */\nlet s = \"three\nfour\";\nunsafe {}\n";
        assert_eq!(lines_with_keyword(source, "unsafe"), [5]);
    }
}
