// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The report of a comparison. It is the same for programs and for people.

mod file;
mod model;
mod page;
mod text;

pub(super) use self::{
    file::ReportFile,
    model::{Comparison, Differing, Origin, Report, Verdict},
};
