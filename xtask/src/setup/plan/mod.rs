// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Facts in, commands out: what is missing, and how to install it. Runs nothing.

mod found;
mod linker;
mod methods;
mod packages;

pub(super) use packages::is_preparation;

#[cfg(test)]
mod tests;
