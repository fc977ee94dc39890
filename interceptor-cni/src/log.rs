// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One JSON line for each thing that is worth a line: on standard error, where the runtime takes it, and in a file of
//! the run directory. A log that cannot be written never fails a verb.

use std::{
    fs::File,
    io::{self, Write as _},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;

use crate::{call::Call, call::Verb, config::Config, run_dir::RunDir};

const FILE: &str = "interceptor-cni.log";
const OLD_FILE: &str = "interceptor-cni.log.1";

/// Bytes after which the file becomes the old one. Both together are twice that.
const LARGEST: u64 = 5 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

#[derive(Debug)]
pub(crate) struct Log {
    start: Instant,
    /// `None`: nothing at all.
    level: Option<Level>,
    file: Option<File>,
    verb: &'static str,
    container_id: String,
    /// `NAMESPACE/NAME`.
    pod: String,
}

/// A line, as it is written.
#[derive(Serialize)]
struct Line<'a> {
    /// Seconds since 1970.
    time: f64,
    level: &'a str,
    plugin: &'a str,
    verb: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    container_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pod: &'a str,
    /// What became of it: `passed`, `enrolled`, `failed`, …; `note` for what decides nothing.
    did: &'a str,
    why: &'a str,
    /// Milliseconds since the start.
    ms: u128,
}

impl Log {
    /// Of a configuration that is not read yet: on standard error only.
    pub(crate) fn new(verb: Verb) -> Self {
        Self {
            start: Instant::now(),
            level: Some(Level::Info),
            file: None,
            verb: verb.name(),
            container_id: String::new(),
            pod: String::new(),
        }
    }

    /// From now on as the configuration wants it, and to the file as well.
    pub(crate) fn configure(&mut self, config: &Config<'_>) {
        let unknown = config.log_level.as_deref().map(level).and_then(|known| match known {
            Ok(level) => {
                self.level = level;
                None
            }
            Err(text) => Some(text),
        });
        match open(config) {
            Ok(file) => self.file = Some(file),
            // The agent has not made it yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.say(Level::Warn, "note", &format!("There is no log file: {error}")),
        }
        if let Some(text) = unknown {
            let why = format!("The log level {text:?} is not one of none, error, warn, info and debug; info is used");
            self.say(Level::Warn, "note", &why);
        }
    }

    pub(crate) fn about(&mut self, call: &Call) {
        self.container_id = call.container_id.to_string();
        self.pod = call
            .pod
            .as_ref()
            .map_or(String::new(), |pod| format!("{}/{}", pod.namespace, pod.name));
    }

    pub(crate) fn say(&self, level: Level, did: &str, why: &str) {
        if self.level.is_none_or(|most| level > most) {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = Line {
            time: now.as_secs_f64(),
            level: name(level),
            plugin: "interceptor-cni",
            verb: self.verb,
            container_id: &self.container_id,
            pod: &self.pod,
            did,
            why,
            ms: self.start.elapsed().as_millis(),
        };
        let line = serde_json::to_string(&line).unwrap_or_default() + "\n";
        // One call each, so that lines of two plugins do not mix.
        io::stderr().write_all(line.as_bytes()).unwrap_or_default();
        if let Some(mut file) = self.file.as_ref() {
            file.write_all(line.as_bytes()).unwrap_or_default();
        }
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
    }
}

/// By Istio's names. The error is a name that is none.
fn level(text: &str) -> Result<Option<Level>, String> {
    let all = [Level::Error, Level::Warn, Level::Info, Level::Debug];
    match all.into_iter().find(|level| name(*level) == text) {
        Some(level) => Ok(Some(level)),
        None if text == "none" => Ok(None),
        None => Err(text.to_owned()),
    }
}

fn open(config: &Config<'_>) -> io::Result<File> {
    let run_dir = RunDir::open(&config.run_dir)?;
    let file = run_dir.file(FILE)?;
    // Of plugins that find the file too long at the same time, one renames it.
    if file.metadata()?.len() < LARGEST || flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(file);
    }
    run_dir.rename(&file, FILE, OLD_FILE)?;
    run_dir.file(FILE)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn config(run_dir: &std::path::Path, rest: &str) -> String {
        format!(r#"{{"cni_agent_run_dir":"{}"{rest}}}"#, run_dir.display())
    }

    fn log(text: &str) -> Log {
        let mut log = Log::new(Verb::Add);
        log.configure(&Config::read(text.as_bytes()).unwrap());
        log
    }

    #[test]
    fn a_line_names_verb_and_reason() {
        let work = tempfile::tempdir().unwrap();
        log(&config(work.path(), "")).say(Level::Info, "passed", "a \"reason\"");
        let text = fs::read_to_string(work.path().join(FILE)).unwrap();
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            [&line["level"], &line["verb"], &line["did"], &line["why"]],
            ["info", "ADD", "passed", "a \"reason\""]
        );
        assert!(line["time"].as_f64().unwrap() > 1.7e9 && line["ms"].is_u64(), "{line}");
    }

    #[test]
    fn what_is_below_the_level_is_not_written() {
        let work = tempfile::tempdir().unwrap();
        let log = |level: &str| log(&config(work.path(), &format!(r#","plugin_log_level":"{level}""#)));
        for (level, said) in [("none", Level::Error), ("error", Level::Warn), ("info", Level::Debug)] {
            log(level).say(said, "note", "");
        }
        assert_eq!(fs::read_to_string(work.path().join(FILE)).unwrap(), "");
        log("debug").say(Level::Debug, "note", "");
        assert_ne!(fs::read_to_string(work.path().join(FILE)).unwrap(), "");
    }

    #[test]
    fn an_unknown_level_is_said_and_info_is_used() {
        let work = tempfile::tempdir().unwrap();
        log(&config(work.path(), r#","plugin_log_level":"loud""#)).say(Level::Info, "passed", "");
        let text = fs::read_to_string(work.path().join(FILE)).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("The log level \\\"loud\\\" is not one of"), "{text}");
    }

    #[test]
    fn a_file_that_is_too_long_becomes_the_old_one() {
        let work = tempfile::tempdir().unwrap();
        let file = File::create(work.path().join(FILE)).unwrap();
        file.set_len(LARGEST).unwrap();
        log(&config(work.path(), "")).say(Level::Info, "passed", "");
        assert_eq!(fs::metadata(work.path().join(OLD_FILE)).unwrap().len(), LARGEST);
        assert!(fs::metadata(work.path().join(FILE)).unwrap().len() < 1000);
    }

    #[test]
    fn without_a_run_directory_nothing_is_made() {
        let work = tempfile::tempdir().unwrap();
        let missing = work.path().join("missing");
        log(&config(&missing, "")).say(Level::Info, "passed", "");
        assert!(!missing.exists());
    }
}
