// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The report as a page that can be handed on: it says what was compared and how, for somebody who was not there.

use super::model::{Comparison, Differing, Origin, Report, Sides};
use super::text::times;

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}\
                     code{background:#eee;padding:0 .2em;overflow-wrap:anywhere}\
                     table{border-collapse:collapse}td,th{border:1px solid #999;padding:.3em .6em;text-align:left;\
                     vertical-align:top}";

const METHOD: &[&str] = &[
    "Two pods with the same addresses and the same machines around them were made in network namespaces of their own. \
     In one of them, the real iptables wrote the rules of istio-iptables for the configuration below. The other was \
     enrolled by Interceptor with the same configuration, with its kernel programs on the kernel named above.",
    "The same connections were made in both, one after another. Compared were the errors of the calls, the addresses \
     that client and server see (getsockname, getpeername, SO_ORIGINAL_DST), who answered, and the reason that the \
     kernel programs counted.",
    "The connections are a written list, those that the ports, ranges and users of the configuration and their \
     neighbors call for, and random ones. No pod and no connection of the machine took part.",
];

/// A piece of the page.
enum Piece {
    Heading(String),
    Text(String),
    /// In the letters of a terminal.
    Code(String),
    Table(Vec<[String; 2]>),
}

pub(super) fn markdown(report: &Report) -> String {
    let one_line = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let mut text = "# Interceptor compared with iptables\n".to_owned();
    for piece in pieces(report) {
        text.push('\n');
        match piece {
            Piece::Heading(heading) => text.extend(["## ", &heading, "\n"]),
            Piece::Text(paragraph) => text.extend([paragraph.as_str(), "\n"]),
            Piece::Code(code) => {
                text.push_str("```text\n");
                text.extend([code.as_str(), "\n```\n"]);
            }
            Piece::Table(rows) => {
                text.push_str("| | |\n|---|---|\n");
                for [name, value] in rows {
                    text.extend(["| ", &one_line(&name), " | ", &one_line(&value), " |\n"]);
                }
            }
        }
    }
    text
}

pub(super) fn html(report: &Report) -> String {
    let title = "Interceptor compared with iptables";
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<h1>{title}</h1>\n"
    );
    text.extend(pieces(report).iter().map(as_html));
    text + "</html>\n"
}

fn as_html(piece: &Piece) -> String {
    match piece {
        Piece::Heading(heading) => format!("<h2>{}</h2>\n", escaped(heading)),
        Piece::Text(paragraph) => format!("<p>{}</p>\n", escaped(paragraph)),
        Piece::Code(code) => format!("<p><code>{}</code></p>\n", escaped(code).replace('\n', "<br>")),
        Piece::Table(rows) => {
            let row = |[name, value]: &[String; 2]| format!("<tr><th>{}<td>{}\n", escaped(name), escaped(value));
            format!("<table>\n{}</table>\n", rows.iter().map(row).collect::<Vec<_>>().concat())
        }
    }
}

fn pieces(report: &Report) -> Vec<Piece> {
    let Report { version, kernel, time, seed, comparisons, left_out, unknown } = report;
    let row = |name: &str, value: &dyn ToString| [name.to_owned(), value.to_string()];
    let mut pieces = vec![
        Piece::Text(format!("{}.", report.verdict().sentence())),
        Piece::Table(vec![
            row("Interceptor", version),
            row("Linux", kernel),
            row("Time", time),
            row("Seed of the random connections", seed),
        ]),
        Piece::Heading("How it was compared".to_owned()),
    ];
    pieces.extend(METHOD.iter().map(|text| Piece::Text((*text).to_owned())));
    for comparison in comparisons {
        pieces.extend(of_comparison(comparison));
    }
    if !(left_out.is_empty() && unknown.is_empty()) {
        pieces.push(Piece::Heading("What was not compared".to_owned()));
        pieces.extend(left_out.iter().cloned().map(Piece::Text));
        let pod =
            |pod: &String| format!("The pod {pod}: a command has enrolled it, and nothing records its configuration.");
        pieces.extend(unknown.iter().map(pod).map(Piece::Text));
    }
    pieces
}

fn of_comparison(comparison: &Comparison) -> Vec<Piece> {
    let whose = match comparison.pods.as_slice() {
        [] => "Configuration of the command line".to_owned(),
        pods => format!("Configuration of {}", pods.join(", ")),
    };
    let mut pieces = vec![
        Piece::Heading(format!("{whose}, with iptables-{}", comparison.iptables)),
        Piece::Code(comparison.configuration.clone()),
        Piece::Text(format!("{}.", comparison.summary())),
    ];
    for (listed, count) in &comparison.listed {
        pieces.push(Piece::Text(format!(
            "Listed in docs/differences.md, met {}: {}.",
            times(*count),
            listed.why()
        )));
    }
    for Differing { origin, connection, seen, reason } in &comparison.differences {
        let origin = match origin {
            Origin::Written => "of the list",
            Origin::Random => "random",
        };
        pieces.push(Piece::Text(format!("Differs ({origin}):")));
        pieces.push(Piece::Code(connection.clone()));
        let mut rows = Vec::new();
        if let Some(Sides { iptables, interceptor }) = seen {
            rows.extend([
                ["iptables".to_owned(), iptables.to_string()],
                ["Interceptor".to_owned(), interceptor.to_string()],
            ]);
        }
        rows.extend(reason.iter().map(|reason| ["Reason".to_owned(), reason.clone()]));
        pieces.push(Piece::Table(rows));
    }
    pieces
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
