// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Istio's verdict table, one test per row and backend. The rows say what the real rules do; the backend `iptables` proves that they
//! do, the backend `ebpf` that we do the same.

mod check;
mod inbound;
mod outbound;
mod row;

use interceptor_tests::Backend;
use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let trials = Backend::ALL.into_iter().flat_map(|backend| {
        let rows = outbound::rows().into_iter().chain(inbound::rows());
        rows.map(move |row| {
            Trial::test(format!("{backend}::{}", row.name), move || {
                check::check(backend, &row);
                Ok(())
            })
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
