// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Cuts Rust source into words and marks. Drops comments and text, and checks no syntax.

use super::source::blank_comments_and_text;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A name, a keyword or a number.
    Word(&'a str),
    /// Any other letter, one at a time.
    Mark(char),
}

/// Source without comments and text. Its tokens borrow from it.
pub(super) struct Code(String);

impl Code {
    pub(super) fn of(source: &str) -> Self {
        Self(blank_comments_and_text(source))
    }

    pub(super) fn tokens(&self) -> Vec<Token<'_>> {
        let mut tokens = Vec::new();
        let mut rest = self.0.as_str();
        while let Some(letter) = rest.chars().next() {
            let word = rest
                .find(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .unwrap_or(rest.len());
            if word > 0 {
                tokens.push(Token::Word(&rest[..word]));
                rest = &rest[word..];
            } else {
                if !letter.is_whitespace() {
                    tokens.push(Token::Mark(letter));
                }
                rest = &rest[letter.len_utf8()..];
            }
        }
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_marks_are_told_apart() {
        let code = Code::of("use a::b_1; // c\nlet d = \"e\";");
        let shown: Vec<String> = code
            .tokens()
            .into_iter()
            .map(|token| match token {
                Token::Word(word) => word.to_owned(),
                Token::Mark(mark) => mark.to_string(),
            })
            .collect();
        assert_eq!(shown.join(" "), "use a : : b_1 ; let d = ;");
    }
}
