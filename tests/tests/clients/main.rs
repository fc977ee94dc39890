// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ordinary clients, in the languages that applications are written in: each reaches its server by way of the
//! sidecar, and sees the address that it dialed.

mod table;
mod visit;

use libtest_mimic::{Arguments, Trial};
use testkit::scene::Stack;

fn main() {
    let arguments = Arguments::from_args();
    let trials = [Stack::V4, Stack::V6].into_iter().flat_map(|stack| {
        table::CLIENTS.iter().map(move |client| {
            Trial::test(format!("{stack}::{}", client.name), move || {
                visit::visit(client, stack);
                Ok(())
            })
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
