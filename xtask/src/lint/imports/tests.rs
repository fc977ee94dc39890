// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Imports of small crates that are written here.

use super::*;

/// The imports of a crate whose root is `lib.rs`, as `importing > imported: names`.
fn imports(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<File> = files
        .iter()
        .map(|(path, text)| File { path: path.into(), text: (*text).to_owned() })
        .collect();
    let (imports, problems) = Imports::of(&[Path::new("lib.rs")], &files);
    assert!(problems.is_empty(), "{problems:?}");
    let mut shown = Vec::new();
    for (from, targets) in imports.0 {
        for (to, names) in targets {
            let names: Vec<String> = names.into_iter().collect();
            shown.push(format!("{} > {}: {}", from.display(), to.display(), names.join(", ")));
        }
    }
    shown
}

#[test]
fn names_lead_to_the_file_that_defines_them() {
    let crate_ = [
        ("lib.rs", "mod a; mod b; use b::Deep;"),
        ("a.rs", "use crate::b::{Deep, Here, again};"),
        ("b/mod.rs", "mod c; pub use c::{Deep, more as again}; pub struct Here;"),
        ("b/c.rs", "pub struct Deep; pub fn more() {}"),
    ];
    assert_eq!(
        imports(&crate_),
        ["a.rs > b/c.rs: Deep, again", "a.rs > b/mod.rs: Here", "lib.rs > b/c.rs: Deep"]
    );
}

#[test]
fn a_declaration_and_a_re_export_are_no_imports() {
    let crate_ = [
        ("lib.rs", "pub mod a;"),
        ("a/mod.rs", "mod b; pub use b::B; pub(crate) struct A;"),
        ("a/b.rs", "use super::A; pub struct B(A);"),
    ];
    assert_eq!(imports(&crate_), ["a/b.rs > a/mod.rs: A"]);
}

#[test]
fn a_re_exported_name_that_the_module_uses_itself_is_an_import() {
    let crate_ = [
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod b; pub use b::B; pub(crate) struct A; fn f(b: B) {}"),
        ("a/b.rs", "use super::A; pub struct B(A);"),
    ];
    assert_eq!(imports(&crate_), ["a/b.rs > a/mod.rs: A", "a/mod.rs > a/b.rs: B"]);
}

#[test]
fn paths_count_like_declarations() {
    let crate_ = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "fn f() { crate::b::g(); super::c::D::new(); std::fs::read(h); }"),
        ("b.rs", "use super::c; pub fn g() { c::made_by_a_macro() }"),
        ("c.rs", "pub struct D; make!();"),
    ];
    assert_eq!(
        imports(&crate_),
        ["a.rs > b.rs: g", "a.rs > c.rs: new", "b.rs > c.rs: made_by_a_macro"]
    );
}

#[test]
fn importing_everything_counts_for_what_is_used() {
    let crate_ = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use super::b::*; fn f() { g(); h() }"),
        ("b/mod.rs", "mod c; mod d; pub use c::g; pub use d::*;"),
        ("b/c.rs", "pub fn g() {}"),
        ("b/d.rs", "pub fn h() {} pub fn i() {}"),
    ];
    assert_eq!(imports(&crate_), ["a.rs > b/c.rs: g", "a.rs > b/d.rs: h"]);
}

#[test]
fn a_function_with_the_name_of_its_module_is_found() {
    let crate_ = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::{c, d}; fn f() { c(); d::e(); }"),
        ("b/mod.rs", "mod c; pub mod d; pub use c::c;"),
        ("b/c.rs", "pub fn c() {}"),
        ("b/d.rs", "pub fn e() {}"),
    ];
    assert_eq!(imports(&crate_), ["a.rs > b/c.rs: c", "a.rs > b/d.rs: e"]);
}

#[test]
fn tests_and_other_crates_do_not_count() {
    let crate_ = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "use anyhow::Result; use b::C;\n#[cfg(test)]\nmod tests { use crate::b::C; }",
        ),
        ("b.rs", "pub struct C; pub use serde::Serialize;"),
    ];
    assert_eq!(imports(&crate_), [""; 0]);
}

#[test]
fn what_a_module_passes_on_from_another_crate_is_its_own() {
    let crate_ = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::Serialize;"),
        ("b.rs", "pub use serde::Serialize;"),
    ];
    assert_eq!(imports(&crate_), ["a.rs > b.rs: Serialize"]);
}

#[test]
fn re_exports_in_a_loop_end() {
    let crate_ = [("lib.rs", "mod a; mod b;"), ("a.rs", "pub use crate::b::C;"), ("b.rs", "pub use crate::a::C;")];
    assert_eq!(imports(&crate_).len(), 2);
}

#[test]
fn a_module_without_its_file_is_a_problem() {
    let file = File { path: "lib.rs".into(), text: "#[path = \"../x.rs\"]\nmod x;".into() };
    let (_, problems) = Imports::of(&[Path::new("lib.rs")], &[file]);
    assert_eq!(
        problems,
        ["lib.rs: the module `x` has no file where modules lie; use no #[path]"]
    );
}
