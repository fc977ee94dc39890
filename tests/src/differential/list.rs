// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Cases that are written down: a line for the configuration, and below it, indented, one for each flow.

use anyhow::Context as _;

use testkit::{flow::Flow, istio::Config};

/// All rows and variants of Istio's verdict table, as far as they can be told from outside.
const VERDICTS: &str = include_str!("verdicts.txt");
const TPROXY: &str = include_str!("tproxy.txt");
/// Several interfaces.
const INTERFACES: &str = include_str!("interfaces.txt");
const DNS: &str = include_str!("dns.txt");
/// Ways to use sockets, and edges of lists.
const SOCKETS: &str = include_str!("sockets.txt");
/// Cases that once differed.
const REGRESSIONS: &str = include_str!("regressions.txt");
/// All that is to be the same on both sides, those that once differed first.
pub const WRITTEN: [&str; 6] = [REGRESSIONS, VERDICTS, TPROXY, INTERFACES, DNS, SOCKETS];
/// What is told in `docs/differences.md`: each of these differs.
pub const LISTED: &str = include_str!("listed.txt");

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
