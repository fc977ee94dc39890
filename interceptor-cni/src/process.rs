// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The process: environment and standard input in, standard output and exit status out, whatever happens.

use std::{
    env,
    io::{self, Read, Write as _},
    panic::{AssertUnwindSafe, catch_unwind, set_hook},
    process::ExitCode,
};

use serde::Deserialize;

use crate::{
    call::{Call, Environment, Verb},
    config::Config,
    error::{CniError, code},
    log::{Level, Log},
    plugin::{Attached, Plugin},
    verbs::{add::add, check::check, del::del, gc::gc, status::status},
    versions,
};

/// Bytes of standard input. A pod's annotations may have 256 KiB, and what plugins print is far shorter.
const LONGEST_INPUT: u64 = 4 << 20;

/// What the runtime gets to see.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    stdout: String,
    success: bool,
}

impl Outcome {
    const NOTHING: Self = Self { stdout: String::new(), success: true };

    fn failed(error: &CniError, cni_version: &str) -> Self {
        Self { stdout: error.to_json(cni_version), success: false }
    }
}

/// Runs the verb that the environment names.
pub fn main() -> ExitCode {
    let environment = |name: &str| env::var_os(name);
    let verb = Verb::of(&environment);
    let log = Log::new(verb.as_ref().map_or(Verb::Version, |verb| *verb));
    set_hook(Box::new(move |panic| log.say(Level::Error, "failed", &panic.to_string())));
    let outcome = guarded(verb.as_ref().ok().copied(), || match verb {
        Ok(verb) => run(verb, &environment, &mut io::stdin()),
        Err(ref error) => Outcome::failed(error, versions::NEWEST),
    });
    let written = io::stdout().write_all(outcome.stdout.as_bytes());
    if outcome.success && written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A panic fails the verb as well, but not DEL.
fn guarded(verb: Option<Verb>, run: impl FnOnce() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        if verb == Some(Verb::Del) {
            return Outcome::NOTHING;
        }
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        let error = CniError::new(
            code::INTERNAL,
            "interceptor-cni has a fault; please report the line that it wrote to the runtime's log",
        );
        Outcome::failed(&error.details(text.unwrap_or_default()), versions::NEWEST)
    })
}

fn run(verb: Verb, environment: Environment<'_>, stdin: &mut dyn Read) -> Outcome {
    let mut log = Log::new(verb);
    let mut bytes = Vec::new();
    let read = stdin.take(LONGEST_INPUT + 1).read_to_end(&mut bytes);
    let cni_version = cni_version(&bytes);
    if verb == Verb::Version {
        return Outcome { stdout: versions::supported(&cni_version), success: true };
    }
    let input = read.map_err(|error| CniError::new(code::IO, format!("Failed to read standard input: {error}")));
    let result = input.and_then(|_length| act(verb, environment, &bytes, &mut log));
    match result {
        Ok(stdout) => Outcome { stdout, success: true },
        Err(error) => {
            let details = if error.details.is_empty() {
                String::new()
            } else {
                format!(" ({})", error.details)
            };
            log.say(Level::Error, "failed", &format!("{} [{}]{details}", error.msg, error.code));
            if verb == Verb::Del {
                Outcome::NOTHING
            } else {
                Outcome::failed(&error, &cni_version)
            }
        }
    }
}

/// What to print.
fn act(verb: Verb, environment: Environment<'_>, stdin: &[u8], log: &mut Log) -> Result<String, CniError> {
    if stdin.len() as u64 > LONGEST_INPUT {
        let msg =
            format!("Standard input has more than {LONGEST_INPUT} bytes, which is no configuration of this plugin");
        return Err(CniError::new(code::NOT_DECODED, msg));
    }
    let config = Config::read(stdin)?;
    log.configure(&config);
    let call = match verb {
        Verb::Add | Verb::Del | Verb::Check => Some(Call::of(environment)?),
        Verb::Status | Verb::Gc | Verb::Version => None,
    };
    if let Some(call) = &call {
        log.about(call);
    }
    let plugin = Plugin { config: &config, log };
    match (verb, &call) {
        (Verb::Add, Some(call)) => return add(&Attached { plugin: &plugin, call }),
        (Verb::Del, Some(call)) => del(&Attached { plugin: &plugin, call }),
        (Verb::Check, Some(call)) => check(&Attached { plugin: &plugin, call })?,
        (Verb::Status, _) => status(&plugin)?,
        (Verb::Gc, _) => gc(&plugin)?,
        (Verb::Add | Verb::Del | Verb::Check, None) | (Verb::Version, _) => {}
    }
    Ok(String::new())
}

/// The version in which the runtime wants to be answered, also if the rest of its configuration is no good.
fn cni_version(stdin: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Versioned {
        #[serde(rename = "cniVersion")]
        cni_version: String,
    }
    serde_json::from_slice(stdin).map_or_else(|_error| versions::NEWEST.into(), |Versioned { cni_version }| cni_version)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_panic_is_an_internal_error_and_del_succeeds_in_spite_of_one() {
        let outcome = guarded(Some(Verb::Add), || panic!("no {}", "way"));
        assert!(!outcome.success);
        assert!(
            outcome.stdout.starts_with(r#"{"cniVersion":"1.1.0","code":999,"#),
            "{outcome:?}"
        );
        assert!(outcome.stdout.ends_with(r#""details":"no way"}"#), "{outcome:?}");
        assert_eq!(guarded(Some(Verb::Del), || panic!("no way")), Outcome::NOTHING);
    }

    #[rstest]
    #[case(r#"{"cniVersion":"0.4.0","ambient_enabled":true}"#, "0.4.0")]
    #[case(r#"{"cniVersion":"0.4.0","exclude_namespaces":7}"#, "0.4.0")]
    #[case(r#"{"cniVersion":7}"#, "1.1.0")]
    #[case("hello", "1.1.0")]
    fn an_error_has_the_version_of_the_configuration(#[case] stdin: &str, #[case] version: &str) {
        let outcome = run(Verb::Add, &|_| None, &mut stdin.as_bytes());
        assert!(!outcome.success);
        assert!(
            outcome.stdout.starts_with(&format!(r#"{{"cniVersion":"{version}","code":"#)),
            "{outcome:?}"
        );
    }

    #[test]
    fn input_that_cannot_be_read_is_an_error_and_del_succeeds() {
        let folder = || std::fs::File::open("/").unwrap();
        let outcome = run(Verb::Add, &|_| None, &mut folder());
        assert!(outcome.stdout.contains(r#""code":5,"#), "{outcome:?}");
        assert_eq!(run(Verb::Del, &|_| None, &mut folder()), Outcome::NOTHING);
    }

    #[test]
    fn input_that_never_ends_is_refused() {
        let outcome = run(Verb::Add, &|_| None, &mut io::repeat(b' '));
        assert!(outcome.stdout.contains(r#""code":6,"#), "{outcome:?}");
    }
}
