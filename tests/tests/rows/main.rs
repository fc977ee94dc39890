// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Istio's verdict table, one test per row and backend. The rows say what the real rules do; the backend `iptables`
//! proves that they do, the backends `ebpf` and `rules` that we do the same by either data path.

mod check;
mod inbound;
mod outbound;
mod row;
mod v6;

use libtest_mimic::{Arguments, Trial};
use testkit::{Backend, scene::Stack};

use crate::row::Row;

fn main() {
    let arguments = Arguments::from_args();
    let trials = Backend::ALL.into_iter().chain([Backend::Rules]).flat_map(|backend| {
        let v4: Vec<Row> = outbound::rows().into_iter().chain(inbound::rows()).collect();
        let v6: Vec<Row> = v4.iter().cloned().filter_map(v6::counterpart).collect();
        let both = v4.iter().cloned().chain(v6.iter().cloned()).collect();
        [(Stack::V4, v4), (Stack::V6, v6), (Stack::Dual, both)]
            .into_iter()
            .flat_map(move |(stack, rows)| {
                rows.into_iter().map(move |row| {
                    let family = if row.is_v4() { "v4" } else { "v6" };
                    Trial::test(format!("{backend}::{stack}::{family}::{}", row.name), move || {
                        check::check(backend, stack, &row);
                        Ok(())
                    })
                })
            })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
