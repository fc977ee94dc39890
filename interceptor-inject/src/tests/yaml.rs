// SPDX-License-Identifier: Apache-2.0 OR MIT
//! YAML: what it means, what is refused, and what an edit leaves of a text.

use proptest::{collection::vec, prelude::*};
use rstest::rstest;
use serde_json::{Map, Value, json};

use crate::yaml::{Document, Fault, Source, split};

fn source(text: &str) -> Source<'_> {
    Source { text, first_line: 1 }
}

fn value(text: &str) -> Value {
    Document::read(source(text)).unwrap().unwrap().value
}

fn fault(text: &str) -> Fault {
    let read = Document::read(source(text));
    read.err().unwrap_or_else(|| panic!("accepted: {text}"))
}

/// The text after its value has become `new`.
fn edited(text: &str, new: &Value) -> String {
    Document::read(source(text)).unwrap().unwrap().with_value(new).unwrap()
}

#[rstest]
#[case::words("[a, a b, 'true', \"1\", -p, '', 2001-01-01]", json!(["a", "a b", "true", "1", "-p", "", "2001-01-01"]))]
#[case::switches("[true, Yes, on, y, False, NO, off, n]", json!([true, true, true, true, false, false, false, false]))]
#[case::nothing("[~, null, Null, ]", json!([null, null, null]))]
#[case::integers("[1, -1, +1, 0x10, 0b11, 0o17, 017, 1_000, 0]", json!([1, -1, 1, 16, 3, 15, 15, 1000, 0]))]
#[case::large("[18446744073709551615, -9223372036854775808]", json!([u64::MAX, i64::MIN]))]
#[case::floats("[1.5, .5, 1., 1e3, -2.5E-1, 08]", json!([1.5, 0.5, 1.0, 1000.0, -0.25, 8.0]))]
#[case::no_numbers(
    "[1.2.3, 12:30, 1Gi, 100m, '_1', _1, 0x, 1e, .]",
    json!(["1.2.3", "12:30", "1Gi", "100m", "_1", "_1", "0x", "1e", "."])
)]
#[case::keys("{on: 1, 2: a, b: c}", json!({ "true": 1, "2": "a", "b": "c" }))]
#[case::tags(
    "[!!str 1, !!int '1', !!float 1.5, !!bool yes, !!null '', !!map {}, !!seq []]",
    json!(["1", 1, 1.5, true, null, {}, []])
)]
#[case::aliases("{a: &x [1], b: *x, c: &x 2, d: *x}", json!({ "a": [1], "b": [1], "c": 2, "d": 2 }))]
#[case::merge("{a: &x {k: 1, l: 1}, b: {<<: *x, l: 2}, c: {<<: [{k: 3}, *x]}}",
    json!({ "a": { "k": 1, "l": 1 }, "b": { "k": 1, "l": 2 }, "c": { "k": 3, "l": 1 } }))]
#[case::block("a: |\n  x\n   y\nb: >-\n  c\n  d\n", json!({ "a": "x\n y\n", "b": "c d" }))]
#[case::byte_order_mark("\u{feff}a: 1", json!({ "a": 1 }))]
#[case::windows("a:\r\n- b\r\n", json!({ "a": ["b"] }))]
#[case::json("{\"a\":\"\\u00e4\\n\",\"b\":[1,2]}", json!({ "a": "ä\n", "b": [1, 2] }))]
fn yaml_means_what_it_means_to_kubectl(#[case] text: &str, #[case] expected: Value) {
    assert_eq!(value(text), expected);
}

#[rstest]
#[case::second_key("a: 1\nb: 2\na: 3\n", "line 3: the key \"a\" is here a second time")]
#[case::second_key_inside("a:\n- b: 1\n  \"b\": 2\n", "line 3: the key \"b\"")]
#[case::same_key("{on: 1, true: 2}\n", "line 1: the key \"true\" is here a second time")]
#[case::unknown_alias("a: *b\n", "line 1: not valid YAML")]
#[case::alias_of_itself("a: &a\n- *a\n", "line 2: an alias of what it stands in")]
#[case::tab("a:\n\tb: 1\n", "line 2: not valid YAML")]
#[case::unclosed("a:\n  b: [1,\n", "line 2: not valid YAML")]
#[case::template("a: {{ .Values.a }}\n", "line 1: a key has to be a word")]
#[case::unknown_tag("a: 1\nb: !Ref x\n", "line 2: this tag")]
#[case::wrong_tag("a: !!int x\n", "line 1: this tag")]
#[case::binary("a: !!binary aGk=\n", "line 1: this tag")]
#[case::infinity("a: .inf\n", "line 1: JSON, and so Kubernetes, has no such number")]
#[case::merge_of_a_word("<<: a\n", "line 1: `<<` takes a mapping")]
#[case::two_documents("a: 1\n...\nb: 1\n", "line 3: a second document")]
#[case::list_as_key("[a]: 1\n", "line 1: a key has to be a word")]
fn what_is_ambiguous_or_broken_is_refused_with_its_line(#[case] text: &str, #[case] expected: &str) {
    let fault = fault(text).to_string();
    assert!(fault.starts_with(expected), "{fault}");
}

#[test]
fn aliases_of_aliases_do_not_use_up_the_memory() {
    let levels = (1..30).map(|level| format!("a{level}: &a{level} [*a{0}, *a{0}, *a{0}, *a{0}]\n", level - 1));
    let text = format!("a0: &a0 [1, 2, 3]\n{}", levels.collect::<String>());
    assert!(fault(&text).to_string().contains("stand for more than 100000 values"));
}

#[test]
fn what_is_nested_too_deeply_is_refused() {
    for text in ["[".repeat(100_000), "- ".repeat(100_000), "{a: ".repeat(100_000)] {
        assert!(fault(&text).to_string().starts_with("line 1: not valid YAML"));
    }
}

#[test]
fn a_text_without_a_document_is_none() {
    for text in ["", "\n\n", "# a\n", "\u{feff}# a\n"] {
        assert!(Document::read(source(text)).unwrap().is_none(), "{text:?}");
    }
    assert_eq!(value("---\n# a\n"), Value::Null);
}

#[test]
fn a_file_is_divided_at_its_separators() {
    let file = "\u{feff}# a\n---\na: |\n  ---\n  b\n--- # c\nb: 1\n---x: 2\n...\n%YAML 1.2\n---\n\r\n---\r\nc: 3";
    let documents: Vec<_> = split(file).into_iter().map(|source| (source.first_line, source.text)).collect();
    assert_eq!(
        documents,
        [
            (1, "\u{feff}# a\n"),
            (2, "---\na: |\n  ---\n  b\n"),
            (6, "--- # c\nb: 1\n---x: 2\n...\n"),
            (10, "%YAML 1.2\n---\n\r\n"),
            (13, "---\r\nc: 3"),
        ]
    );
    assert_eq!(split("%YAML 1.1\n# b\n---\na: 1\n").len(), 1);
}

#[rstest]
#[case::value_changed("a: 1 # one\nb: 2\n", json!({ "a": 7, "b": 2 }), "a: 7 # one\nb: 2\n")]
#[case::key_added("# top\na: 1\n# end\n", json!({ "a": 1, "b": ["x"] }), "# top\na: 1\nb:\n- x\n# end\n")]
#[case::key_added_inside(
    "a:\n  b: 1 # one\nc: 2\n",
    json!({ "a": { "b": 1, "d": {} }, "c": 2 }),
    "a:\n  b: 1 # one\n  d: {}\nc: 2\n"
)]
#[case::key_removed("a: 1\n# about b\nb:\n- 2\nc: 3\n", json!({ "a": 1, "c": 3 }), "a: 1\nc: 3\n")]
#[case::first_key_removed("- a: 1\n  b: 2\n", json!([{ "b": 2 }]), "- b: 2\n")]
#[case::all_keys_removed("a:\n  b: 1\nc: 2\n", json!({ "a": {}, "c": 2 }), "a: {}\nc: 2\n")]
#[case::item_added(
    "a:\n- b # one\n- c: 1\n  d: 2\ne: 3\n",
    json!({ "a": ["b", { "c": 1, "d": 2 }, "x"], "e": 3 }),
    "a:\n- b # one\n- c: 1\n  d: 2\n- x\ne: 3\n"
)]
#[case::item_added_inside("a:\n    - b\n", json!({ "a": ["b", { "c": [1] }] }), "a:\n    - b\n    - c:\n      - 1\n")]
#[case::item_removed("a:\n- b\n# about c\n- c\n- d\n", json!({ "a": ["b", "d"] }), "a:\n- b\n- d\n")]
#[case::empty_list_filled("a: [] # none\nb: 1\n", json!({ "a": ["x"], "b": 1 }), "a:\n- x # none\nb: 1\n")]
#[case::null_filled("a:\nb: 1\n", json!({ "a": { "c": 2 }, "b": 1 }), "a:\n  c: 2\nb: 1\n")]
#[case::flow(
    "a: {b: 1, c: [x]} # c\n",
    json!({ "a": { "b": 2, "c": ["x"], "d": "e" } }),
    "a: {b: 2, c: [x], \"d\": \"e\"} # c\n"
)]
#[case::json(
    "{\n  \"a\": {\"b\": 1}\n}\n",
    json!({ "a": { "b": "x" }, "c": [] }),
    "{\n  \"a\": {\"b\": \"x\"}, \"c\": []\n}\n"
)]
#[case::after_a_block_scalar(
    "a:\n  b: |\n    x\n\nc: 1\n",
    json!({ "a": { "b": "x\n", "d": 1 }, "c": 1 }),
    "a:\n  b: |\n    x\n  d: 1\n\nc: 1\n"
)]
#[case::alias_replaced(
    "a: &x\n  b: 1\nc: *x\n",
    json!({ "a": { "b": 1 }, "c": { "b": 2 } }),
    "a: &x\n  b: 1\nc:\n  b: 2\n"
)]
#[case::anchor_changed(
    "a: &x\n  b: 1\nc: *x\n",
    json!({ "a": { "b": 2 }, "c": { "b": 1 } }),
    "a:\n  b: 2\nc:\n  b: 1\n"
)]
#[case::windows("a:\r\n- b\r\n", json!({ "a": ["b", "c"] }), "a:\r\n- b\r\n- c\r\n")]
#[case::byte_order_mark("\u{feff}a: 1\n", json!({ "a": 2 }), "\u{feff}a: 2\n")]
#[case::separator("--- # first\n# second\na: 1\n", json!({ "a": 2 }), "--- # first\n# second\na: 2\n")]
#[case::no_line_end("a: 1", json!({ "a": 1, "b": 2 }), "a: 1\nb: 2")]
fn an_edit_leaves_the_rest_of_the_text(#[case] text: &str, #[case] new: Value, #[case] expected: &str) {
    assert_eq!(edited(text, &new), expected);
}

/// Any JSON, with words that need quotes in some version of YAML.
fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z]{1,3}",
        "\\PC{0,5}",
        "[ \\n\\t#:,'\"&*!|>%@`{}\\[\\]-]{0,4}",
        prop::sample::select(vec![
            "yes", "no", "on", "~", "null", "1", "0x1", "1e3", "-", "---", "...", ".inf", "<<", "="
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec!["\u{7f}", "\u{85}", "\u{2028}", "\u{feff}", "a\r\nb", "\0"]).prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        let key = text.clone().prop_filter("a key that is no other's", |key| key != "<<");
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((key, inner), 0..4).prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

/// A value with a few places changed, so that edits are small.
fn changed(mut value: Value, changes: &[(usize, Value)]) -> Value {
    for (at, new) in changes {
        let places = count(&value);
        *nth(&mut value, &mut (at % places)).unwrap() = new.clone();
    }
    value
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

fn nth<'a>(value: &'a mut Value, index: &mut usize) -> Option<&'a mut Value> {
    if *index == 0 {
        return Some(value);
    }
    *index -= 1;
    let inside: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => vec![],
    };
    for inner in inside {
        let places = count(inner);
        if *index < places {
            return nth(inner, index);
        }
        *index -= places;
    }
    None
}

proptest! {
    #[test]
    fn the_documents_of_a_file_are_the_file(file in "([-% #a\\r\\n\u{feff}]|---\\n|---\\r\\n){0,30}") {
        let sources = split(&file);
        prop_assert_eq!(sources.iter().map(|source| source.text).collect::<String>(), file.clone());
        let mut line = 1;
        for source in sources {
            prop_assert_eq!(source.first_line, line);
            line += source.text.matches('\n').count();
        }
    }

    #[test]
    fn an_edited_text_says_the_new_value(old in any_value(), changes in vec((any::<usize>(), any_value()), 0..4)) {
        let new = changed(old.clone(), &changes);
        let (old, new) = (json!({ "wrap": old }), json!({ "wrap": new }));
        let (flow, block) = (edited("{\"wrap\": 0}", &old), edited("wrap: ", &old));
        for text in [flow, block] {
            let text = edited(&text, &new);
            prop_assert_eq!(value(&text), new.clone(), "{}", text);
        }
    }

    #[test]
    fn no_text_ends_the_program(
        text in "([-:{}\\[\\],&*!|>'\"%@#?<~ \\t\\n\\r01ax\u{feff}\u{85}]){0,40}",
        new in any_value(),
    ) {
        let document = Document::read(source(&text)).ok().flatten();
        if let Some(Ok(text)) = document.map(|document| document.with_value(&new)) {
            prop_assert_eq!(value(&text), new);
        }
    }
}
