// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads lists of cases: a line for the configuration, and below it, indented, a line for each flow. Never carries a
//! case out.

use anyhow::Context as _;

use crate::{flow::Flow, istio::Config};

/// Everything that has to be the same on both sides, in the order in which it is tried.
pub const WRITTEN: [&str; 12] = [
    include_str!("../../lists/regressions.txt"),
    include_str!("../../lists/default.txt"),
    include_str!("../../lists/outbound.txt"),
    include_str!("../../lists/inbound.txt"),
    include_str!("../../lists/owners.txt"),
    include_str!("../../lists/tproxy.txt"),
    include_str!("../../lists/interfaces.txt"),
    include_str!("../../lists/routes.txt"),
    include_str!("../../lists/dns_listed.txt"),
    include_str!("../../lists/dns_all.txt"),
    include_str!("../../lists/dns_other.txt"),
    include_str!("../../lists/sockets.txt"),
];
/// What `docs/differences.md` lists: each of these differs.
pub const LISTED: &str = include_str!("../../lists/listed.txt");

/// A configuration, and flows to try with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub config: Config,
    pub flows: Vec<Flow>,
}

/// Reads a list. Lines that start with `#` are comments.
pub fn cases(list: &str) -> anyhow::Result<Vec<Case>> {
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in list.lines().enumerate() {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let mut read = || {
            if line.starts_with(char::is_whitespace) {
                cases
                    .last_mut()
                    .context("a flow without a configuration above it")?
                    .flows
                    .push(text.parse()?);
            } else {
                cases.push(Case { config: text.parse()?, flows: Vec::new() });
            }
            anyhow::Ok(())
        };
        read().with_context(|| format!("line {}: {line}", number + 1))?;
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::{LISTED, WRITTEN, cases};

    #[test]
    fn what_is_printed_can_be_read() {
        for list in WRITTEN.into_iter().chain([LISTED]) {
            let read = cases(list).unwrap();
            let mut text = String::new();
            for case in &read {
                text.extend([case.config.to_string(), "\n".to_owned()]);
                text.extend(
                    case.flows
                        .iter()
                        .flat_map(|flow| ["    ".to_owned(), flow.to_string(), "\n".to_owned()]),
                );
            }
            assert_eq!(cases(&text).unwrap(), read);
        }
    }
}
