// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names of interfaces. Whether the pod has such an interface is not known here.

/// `IFNAMSIZ`, without the zero at its end.
const MAX_NAME: usize = 15;

/// Whether an interface can have so long a name.
pub(crate) const fn fits_an_interface(name: &str) -> bool {
    name.len() <= MAX_NAME
}
