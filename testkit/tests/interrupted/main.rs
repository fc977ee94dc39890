// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The test programs give the same answers while signals interrupt every one of their system calls.

mod calls;
mod full;
mod preload;
mod programs;
