// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads a `use` declaration. Resolves no name.

use crate::lint::tokens::Token::{self, Mark, Word};

/// One name of a `use` declaration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// The path as it is written, without a `self` at its end.
    pub(super) path: Vec<String>,
    /// The name in this module. `None` after `as _`, and for all names at once (`*`).
    pub(super) name: Option<String>,
    pub(super) glob: bool,
    pub(super) public: bool,
}

/// All names of the declaration whose first token after `use` is at `at`. Moves `at` behind it.
pub(super) fn use_tree(tokens: &[Token<'_>], at: &mut usize, public: bool) -> Vec<Use> {
    let mut uses = Vec::new();
    branch(tokens, at, &[], public, &mut uses);
    *at += 1; // the semicolon
    uses
}

fn branch(tokens: &[Token<'_>], at: &mut usize, prefix: &[String], public: bool, uses: &mut Vec<Use>) {
    let mut path = prefix.to_vec();
    let mut name = None;
    while let Some(token) = tokens.get(*at) {
        match token {
            Word("as") => {
                name = tokens.get(*at + 1).copied();
                *at += 2;
            }
            Word(word) => {
                path.push((*word).to_owned());
                *at += 1;
            }
            Mark(':') => {
                // A path that begins with two colons is one of another crate.
                if path.is_empty() && prefix.is_empty() {
                    path.push(String::new());
                }
                *at += 2;
            }
            Mark('*') => {
                *at += 1;
                uses.push(Use { path, name: None, glob: true, public });
                return;
            }
            Mark('{') => {
                *at += 1;
                while tokens.get(*at).is_some_and(|token| *token != Mark('}')) {
                    branch(tokens, at, &path, public, uses);
                    *at += usize::from(tokens.get(*at) == Some(&Mark(',')));
                }
                *at += 1;
                return;
            }
            Mark(_) => break,
        }
    }
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = match name {
        Some(Word("_")) => None,
        Some(Word(alias)) => Some(alias.to_owned()),
        _ => path.last().cloned(),
    };
    uses.push(Use { path, name, glob: false, public });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::tokens::Code;

    fn shown(source: &str) -> Vec<String> {
        let code = Code::of(source);
        let (tokens, mut at) = (code.tokens(), 0);
        let uses = use_tree(&tokens, &mut at, false);
        assert_eq!(at, tokens.len());
        let shown = uses.into_iter().map(|import| {
            let name = if import.glob { "*".into() } else { import.name.unwrap_or_else(|| "_".into()) };
            format!("{} = {name}", import.path.join("::"))
        });
        shown.collect()
    }

    #[test]
    fn every_name_is_found() {
        assert_eq!(shown("a;"), ["a = a"]);
        assert_eq!(
            shown("super::a::{self, b as c, d::{E as _, f}, g::*,};"),
            ["super::a = a", "super::a::b = c", "super::a::d::E = _", "super::a::d::f = f", "super::a::g = *",]
        );
        assert_eq!(shown("{a, b::c};"), ["a = a", "b::c = c"]);
        assert_eq!(shown("::a::b;"), ["::a::b = b"]);
        assert_eq!(shown("self::a::B;"), ["self::a::B = B"]);
    }
}
