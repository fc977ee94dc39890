// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How the story is printed, and how its sentences are checked.

use std::{
    fmt::{Debug, Display},
    io::{self, Write as _},
    time::Duration,
};

use anyhow::{Context as _, bail};
use testkit::Interrupt;

/// Prints, counts and checks. Every method fails when somebody interrupts, or when nobody reads any more.
pub(crate) struct Tell {
    interrupt: Interrupt,
    steps: usize,
    checked: usize,
}

impl Tell {
    pub(crate) fn new(interrupt: Interrupt) -> Self {
        Self { interrupt, steps: 0, checked: 0 }
    }

    pub(crate) fn step(&mut self, title: &str) -> anyhow::Result<()> {
        self.steps += 1;
        self.line(&format!("\n{}. {title}", self.steps))
    }

    pub(crate) fn say(&self, text: impl Display) -> anyhow::Result<()> {
        self.line(&format!("   {text}"))
    }

    /// A command as it would be typed, and what it answered.
    pub(crate) fn command(&self, prompt: &str, line: &str, output: &str) -> anyhow::Result<()> {
        self.line(&format!("   {prompt} $ {line}"))?;
        output
            .lines()
            .filter(|line| !line.is_empty())
            .try_for_each(|line| self.line(&format!("     | {}", line.trim_end())))
    }

    /// Prints the sentence if it is true, and fails with what was seen instead if it is not.
    pub(crate) fn holds<T: Debug + PartialEq + ?Sized>(
        &mut self,
        sentence: impl Display,
        seen: &T,
        expected: &T,
    ) -> anyhow::Result<()> {
        self.interrupt.check()?;
        if seen != expected {
            bail!("this is not true: {sentence}\n  expected: {expected:?}\n  seen:     {seen:?}");
        }
        self.checked += 1;
        self.line(&format!("   ok: {sentence}"))
    }

    pub(crate) fn end(&self, time: Duration) -> anyhow::Result<()> {
        self.line(&format!(
            "\n{} sentences checked, in {:.1} s.",
            self.checked,
            time.as_secs_f64()
        ))
    }

    fn line(&self, line: &str) -> anyhow::Result<()> {
        self.interrupt.check()?;
        writeln!(io::stdout(), "{line}").context("print the story")
    }
}

/// The words as they would be typed in a shell.
pub(crate) fn typed(words: &[&str]) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_=/.,:+@%".contains(letter);
    let quoted = |word: &&str| {
        if !word.is_empty() && word.chars().all(plain) {
            (*word).to_owned()
        } else {
            format!("'{word}'")
        }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
