// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Renders a template of Go. A template is another's input: how long it may take, how much it may write and how deep it
//! may nest is bounded, and it reaches nothing but its data. This file is the only one that knows the engine's way of
//! doing that.

use std::{
    thread,
    time::{Duration, Instant},
};

use gtmpl_ng::{Context, ExecError, Limits, ParseError, Template, Value as Go};

use super::{fault::WAY_OUT, functions};

/// Istio's template of a sidecar has 30 KiB.
const LARGEST_TEMPLATE: usize = 256 << 10;
/// What a template writes, in bytes. Istio's writes 7 KiB.
const LARGEST_OUTPUT: usize = 1 << 20;
/// How long all templates of a pod may take. Istio's take a few milliseconds; this bounds what is made to take long.
pub(super) const LONGEST: Duration = Duration::from_secs(4);
/// The parser goes down one level of its stack for each of these, at most. Istio's template has 83 and 22.
const MOST_PARENTHESES: usize = 1000;
const MOST_ELSES: usize = 500;
/// Enough for both.
const STACK: usize = 32 << 20;
/// An error of the engine may print all data of the template.
const LONGEST_MESSAGE: usize = 400;

/// What a template writes over its data until `end`. The error says where in the template something is wrong.
pub(super) fn render(name: &str, source: &str, data: Go, end: Instant) -> Result<String, String> {
    too_large(source)?;
    // A getter of Go's that is no field here.
    let source = source.replace(".InterceptionMode.String", ".InterceptionMode");
    let name = name.to_owned();
    let job = move || run(&name, source, data, end);
    let thread = thread::Builder::new().stack_size(STACK).spawn(job);
    let thread = thread.map_err(|error| format!("no thread can be started to render it: {error}"))?;
    // A panic has been reported on standard error.
    thread
        .join()
        .unwrap_or_else(|_panic| Err(format!("the template engine failed; {WAY_OUT}")))
}

fn too_large(source: &str) -> Result<(), String> {
    let measures = [
        ("bytes", source.len(), LARGEST_TEMPLATE),
        ("parentheses", source.matches('(').count(), MOST_PARENTHESES),
        ("times `else`", source.matches("else").count(), MOST_ELSES),
    ];
    match measures.into_iter().find(|(_what, found, most)| found > most) {
        None => Ok(()),
        Some((what, found, most)) => Err(format!("it has {found} {what}, more than {most}; {WAY_OUT}")),
    }
}

fn run(name: &str, source: String, data: Go, end: Instant) -> Result<String, String> {
    let limits = Limits::default()
        .with_output_bytes(LARGEST_OUTPUT)
        .with_deadline(end.saturating_duration_since(Instant::now()));
    let mut template = Template::with_limits(limits);
    name.clone_into(&mut template.name);
    template.add_funcs(functions::ALL);
    template.parse(source).map_err(|error| parse_error(&error))?;
    template.render(&Context::from(data)).map_err(|error| execution_error(&error))
}

fn parse_error(error: &ParseError) -> String {
    match error {
        ParseError::WithContext(at, message) => {
            let way_out = if message.ends_with("not defined") { WAY_OUT } else { "correct it" };
            format!("line {}: {}; {way_out}", at.line, shortened(message))
        }
        other => shortened(&other.to_string()),
    }
}

fn execution_error(error: &ExecError) -> String {
    match error.as_structured() {
        Some(error) => format!("line {}: {}", error.context.line, shortened(&error.message)),
        None => shortened(&error.to_string()),
    }
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        None => message.to_owned(),
        Some((end, _character)) => format!("{} … ({} more bytes)", &message[..end], message.len() - end),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn rendered(source: &str) -> Result<String, String> {
        render("test", source, Go::Nil, Instant::now() + Duration::from_mins(10))
    }

    #[rstest]
    #[case::nothing("", "")]
    #[case::comment_with_trim_marker("a {{- /* c */}}\nb", "a\nb")]
    #[case::assignment_from_inside_a_range("{{$x := true}}{{range list 1 2}}{{$x = false}}{{end}}{{$x}}", "false")]
    #[case::backquotes("{{`a\"b`}}", "a\"b")]
    #[case::and_yields_a_value("{{and 1 \"x\"}}", "x")]
    #[case::large_number("{{1000000}}", "1000000")]
    fn constructs_of_istios_template_mean_what_they_mean_to_go(#[case] source: &str, #[case] expected: &str) {
        assert_eq!(rendered(source).as_deref(), Ok(expected));
    }

    #[rstest]
    #[case::no_end("{{if true}}a", "line 1")]
    #[case::one_end_too_many("a\n{{end}}", "line 2")]
    #[case::undeclared("{{$y = 1}}", "line 1")]
    #[case::nothing_known_of(
        "\n\n{{env \"HOME\" \"x\"}}",
        "line 3: function env not defined; let Istio render it"
    )]
    #[case::files("{{readFile \"/etc/passwd\"}}", "function readFile not defined")]
    #[case::too_many_parentheses(&format!("{{{{{}}}}}", "(".repeat(1001)), "1001 parentheses, more than 1000")]
    #[case::too_many_elses(&"else".repeat(501), "501 times `else`, more than 500")]
    #[case::too_large(&"x".repeat((256 << 10) + 1), "262145 bytes, more than 262144")]
    fn what_cannot_be_rendered_is_refused_with_the_place(#[case] source: &str, #[case] expected: &str) {
        let error = rendered(source).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    #[rstest]
    #[case::recursion("{{define \"r\"}}{{template \"r\"}}{{end}}{{template \"r\"}}", "depth")]
    #[case::output("{{range 10000}}{{range 90}}xxxxxxxxxx{{end}}{{end}}", "1048576 bytes")]
    #[case::doubling("{{$x := `x`}}{{range 64}}{{$x = print $x $x}}{{end}}", "larger than")]
    #[case::loops("{{range 10000}}{{range 10000}}{{end}}{{end}}", "iterations")]
    #[case::wide_indentation("{{nindent 1000000000000 `x`}}", "more than the 1000000")]
    fn what_a_hostile_template_asks_for_is_bounded(#[case] source: &str, #[case] expected: &str) {
        let error = rendered(source).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    /// A stack that overflows would end the process, and the test with it.
    #[rstest]
    #[case::parentheses(&format!("{{{{{}1{}}}}}", "(".repeat(1000), ")".repeat(1000)), Some("1"))]
    #[case::elses(&format!("{{{{if false}}}}{}{{{{end}}}}", "{{else if false}}".repeat(500)), None)]
    fn what_is_nested_as_deeply_as_allowed_does_no_harm(#[case] source: &str, #[case] expected: Option<&str>) {
        assert_eq!(rendered(source).ok().as_deref(), expected);
    }
}
