// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor verify`, as people run it: what it finds, what it says, and that nothing of it stays.

mod bad_input;
mod ended;
mod flags;
mod lab;
mod pods;
