// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Programs that run to their end, among them the one under test.

use std::{
    env, fmt,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
    time::Instant,
};

use interceptor_verify::Lines;
use serde::de::DeserializeOwned;

use crate::wait::timeout;

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Run {
    line: String,
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn of(command: Command) -> Self {
        Self::with_input(command, "")
    }

    pub fn of_line(words: &[&str]) -> Self {
        let (program, arguments) = words.split_first().expect("a program");
        let mut command = Command::new(program);
        command.args(arguments);
        Self::of(command)
    }

    pub fn with_input(command: Command, input: &str) -> Self {
        Self::attempt(command, input).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Says what went wrong instead of panicking, for those that clean up after a panic.
    pub fn attempt(mut command: Command, input: &str) -> Result<Self, String> {
        let line = format!("{command:?}");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("start {line}: {error}"))?;
        // Input is small, so it fits the pipe before anyone reads; who ends without reading it is judged by the exit
        // code.
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).unwrap_or_default();
        drop(stdin);

        let deadline = Instant::now() + timeout();
        let stdout = Lines::new(child.stdout.take().expect("a pipe"));
        let stderr = Lines::new(child.stderr.take().expect("a pipe"));
        let output = stdout.rest(deadline).and_then(|stdout| Ok((stdout, stderr.rest(deadline)?)));
        let Ok((stdout, stderr)) = output else {
            child.kill().unwrap_or_default();
            child.wait().map(drop).unwrap_or_default();
            return Err(format!("{line} did not end within {:?}", timeout()));
        };
        let status = child.wait().map_err(|error| format!("wait for {line}: {error}"))?;
        Ok(Self { line, code: status.code(), stdout: stdout.join("\n"), stderr: stderr.join("\n") })
    }

    /// What a program came to that was given all the time that it took.
    pub fn of_output(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned();
        Self {
            line: "the program".to_owned(),
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// An error unless it ended with exit code 0.
    pub fn successful(self) -> Result<(), String> {
        if self.code == Some(0) { Ok(()) } else { Err(self.to_string()) }
    }

    #[track_caller]
    pub fn expect_success(&self) {
        assert_eq!(self.code, Some(0), "{self}");
    }

    /// What it wrote to standard output, as the JSON it is.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        self.expect_success();
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self}"))
    }

    /// Everything it said.
    pub fn output(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, code, stdout, stderr } = self;
        write!(formatter, "{line}\nexit code {code:?}\nstdout:\n{stdout}\nstderr:\n{stderr}")
    }
}

/// Names the program under test.
pub(crate) const BINARY: &str = "INTERCEPTOR_BIN";

/// `INTERCEPTOR_BIN`, or the workspace's binary, built once.
pub fn binary() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        env::var_os(BINARY).map_or_else(|| build(&["--package", "interceptor"]).join("interceptor"), PathBuf::from)
    })
}

/// Runs `cargo build ARGUMENTS`, and returns where the programs are.
pub(crate) fn build(arguments: &[&str]) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .arg("build")
        .args(arguments)
        .current_dir(workspace)
        .status()
        .expect("start cargo");
    assert!(
        status.success(),
        "cargo build {arguments:?} failed; INTERCEPTOR_BIN names a binary that is there already"
    );
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), |target| workspace.join(target));
    target.join("debug")
}
