// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What one module says: the names it defines, imports and writes. Reads tokens, and knows no other module.
//!
//! What is compiled for tests only (`#[cfg(test)]`) is left out.

use std::collections::BTreeSet;

use super::use_tree::{Use, use_tree};
use crate::lint::tokens::Token::{self, Mark, Word};

#[derive(Default)]
pub(super) struct Contents {
    pub(super) defined: BTreeSet<String>,
    pub(super) uses: Vec<Use>,
    /// Names with `::` between them, such as `crate::run::exec`.
    pub(super) paths: BTreeSet<Vec<String>>,
    /// Names that stand alone or first in a path. Fields and methods are none.
    pub(super) words: BTreeSet<String>,
    /// Modules by name. `None` stands for a module in a file of its own.
    pub(super) modules: Vec<(String, Option<Self>)>,
}

/// The keywords before a name that the module then has.
const DEFINE: [&str; 8] = ["fn", "struct", "enum", "union", "trait", "type", "static", "const"];

/// What may follow these keywords instead of the name.
const NO_NAME: [&str; 5] = ["fn", "unsafe", "async", "extern", "_"];

impl Contents {
    /// The contents of a whole file.
    pub(super) fn of(tokens: &[Token<'_>]) -> Self {
        Reader { tokens, at: 0 }.module()
    }
}

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads to the end of the module, and over the brace that closes it.
    fn module(&mut self) -> Contents {
        let mut contents = Contents::default();
        let mut depth = 0_usize;
        while let Some(token) = self.peek(0) {
            match token {
                Mark('#') if self.attribute() => {}
                Mark('}') if depth == 0 => {
                    self.at += 1;
                    break;
                }
                Mark(mark) => {
                    match mark {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    self.at += 1;
                }
                Word("use") if self.peek(1) != Some(Mark('<')) => {
                    let public = self.is_public();
                    self.at += 1;
                    contents.uses.extend(use_tree(self.tokens, &mut self.at, public));
                }
                Word("mod") if self.name(1).is_some() => self.submodule(&mut contents),
                Word("macro_rules") => {
                    contents.defined.extend(self.name(2).map(str::to_owned));
                    self.at += 3;
                }
                Word(keyword) if depth == 0 && DEFINE.contains(&keyword) => {
                    self.at += 1 + usize::from(self.name(1) == Some("mut"));
                    let name = self.name(0).filter(|name| !NO_NAME.contains(name));
                    contents.defined.extend(name.map(str::to_owned));
                    self.at += usize::from(name.is_some());
                }
                Word(first) => self.path(first, &mut contents),
            }
        }
        contents
    }

    /// Skips what a `#[cfg(test)]` at this place belongs to. Otherwise an attribute is read like other code: it may
    /// name functions.
    fn attribute(&mut self) -> bool {
        if self.peek(1) != Some(Mark('[')) {
            return false;
        }
        let end = self.closing(self.at + 1);
        let words: Vec<Token<'_>> = self.tokens[self.at..end].to_vec();
        if words.get(2) != Some(&Word("cfg")) || !words.contains(&Word("test")) || words.contains(&Word("not")) {
            return false;
        }
        self.at = end;
        self.skip_item();
        true
    }

    /// An item ends with a semicolon or with its first block.
    fn skip_item(&mut self) {
        while let Some(token) = self.peek(0) {
            match token {
                Mark('{') => {
                    self.at = self.closing(self.at);
                    return;
                }
                Mark('(' | '[') => self.at = self.closing(self.at),
                Mark('}') => return,
                _ => self.at += 1,
            }
            if token == Mark(';') {
                return;
            }
        }
    }

    /// The place behind the bracket that closes the one at `open`.
    fn closing(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match token {
                Mark('(' | '[' | '{') => depth += 1,
                Mark(')' | ']' | '}') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at + 1;
            }
        }
        self.tokens.len()
    }

    fn submodule(&mut self, contents: &mut Contents) {
        let name = self.name(1).unwrap_or_default().to_owned();
        let inline = self.peek(2) == Some(Mark('{'));
        self.at += 3;
        let inside = inline.then(|| self.module());
        contents.modules.push((name, inside));
    }

    fn path(&mut self, first: &str, contents: &mut Contents) {
        let belongs_to_another = self.follows_member_access();
        let mut path = vec![first.to_owned()];
        self.at += 1;
        while let (Some(Mark(':')), Some(Mark(':')), Some(name)) = (self.peek(0), self.peek(1), self.name(2)) {
            path.push(name.to_owned());
            self.at += 3;
        }
        if belongs_to_another {
            return;
        }
        let is_field = self.peek(0) == Some(Mark(':')) && self.peek(1) != Some(Mark(':'));
        if path.len() > 1 || !is_field {
            contents.words.insert(first.to_owned());
        }
        if path.len() > 1 {
            contents.paths.insert(path);
        }
    }

    /// Whether the word at this place is a field, a method, or the rest of a path that does not begin with a name.
    /// Two dots are a range.
    fn follows_member_access(&self) -> bool {
        match self.tokens[..self.at] {
            [.., Mark('.'), Mark('.')] => false,
            [.., Mark('.')] | [.., Mark(':'), Mark(':')] => true,
            _ => false,
        }
    }

    /// Whether `pub` or `pub(…)` stands before this place.
    fn is_public(&self) -> bool {
        let before = &self.tokens[..self.at];
        match before.last() {
            Some(Word("pub")) => true,
            Some(Mark(')')) => {
                let open = before.iter().rposition(|token| *token == Mark('('));
                open.and_then(|open| open.checked_sub(1))
                    .is_some_and(|at| before[at] == Word("pub"))
            }
            _ => false,
        }
    }

    fn name(&self, ahead: usize) -> Option<&'a str> {
        match self.peek(ahead) {
            Some(Word(name)) => Some(name),
            _ => None,
        }
    }

    fn peek(&self, ahead: usize) -> Option<Token<'a>> {
        self.tokens.get(self.at + ahead).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::tokens::Code;

    fn contents(source: &str) -> Contents {
        Contents::of(&Code::of(source).tokens())
    }

    fn paths(source: &str) -> Vec<String> {
        contents(source).paths.iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn definitions_of_the_module_are_found_and_those_inside_others_are_not() {
        let source = "pub struct A { b: u8 }\nimpl A { fn c() { const D: u8 = 1; } }\npub(crate) const fn e() {}\n\
                      static mut F: u8 = 0;\nmacro_rules! g { () => {} }\nenum H { I }\ntype J = A;\nconst _: () = ();";
        let defined: Vec<String> = contents(source).defined.into_iter().collect();
        assert_eq!(defined, ["A", "F", "H", "J", "e", "g"]);
    }

    #[test]
    fn paths_are_found_in_code_types_attributes_and_macros() {
        let source = "#[arg(value_parser = a::parse)] fn f(x: b::T) -> c::U { d::e::f(x); format!(\"{}\", g::h()) }";
        assert_eq!(paths(source), ["a::parse", "b::T", "c::U", "d::e::f", "g::h"]);
        assert_eq!(
            paths("fn f() { x.a; Vec::<u8>::new(); <T as U>::V; let y: Z<self::w::X>; 0..y::Z }"),
            ["self::w::X", "y::Z"]
        );
    }

    #[test]
    fn fields_and_methods_are_no_words() {
        let words = contents("fn f() { a.b(); C { d: e }; let g: H = i; }").words;
        assert_eq!(words.into_iter().collect::<Vec<_>>(), ["C", "H", "a", "e", "i", "let"]);
    }

    #[test]
    fn what_is_for_tests_only_is_left_out() {
        let source = "#[cfg(test)]\nuse a::b;\n#[cfg(test)]\n#[rustfmt::skip]\nmod tests { use c::d; }\n\
                      #[cfg(test)]\nmod more;\n#[cfg(test)]\npub(crate) fn f<T, U>(x: [u8; 3]) { g::h(); }\n\
                      #[cfg(not(test))]\nuse i::j;\nfn k() {}";
        let contents = contents(source);
        assert_eq!(contents.uses.len(), 1);
        assert_eq!(contents.uses[0].path, ["i", "j"]);
        assert!(contents.modules.is_empty() && contents.paths.is_empty());
        assert!(contents.defined.contains("k"));
    }

    #[test]
    fn modules_are_told_apart_by_where_they_are() {
        let contents = contents("mod a; pub mod b { mod c; use d::e; } use f::g;");
        let names: Vec<_> = contents
            .modules
            .iter()
            .map(|(name, inside)| (name.as_str(), inside.is_some()))
            .collect();
        assert_eq!(names, [("a", false), ("b", true)]);
        let inside = contents.modules[1].1.as_ref().unwrap();
        assert_eq!((inside.modules.len(), inside.uses.len(), contents.uses.len()), (1, 1, 1));
    }

    #[test]
    fn a_public_import_is_told_from_a_private_one() {
        let uses = contents("use a::b; pub use c::d; pub(in crate::x) use e::f; fn g() -> impl H + use<'a> {}").uses;
        assert_eq!(uses.iter().map(|import| import.public).collect::<Vec<_>>(), [false, true, true]);
    }
}
