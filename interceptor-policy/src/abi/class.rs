// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the operator's lists say of an address or a number: values of the tries. Each entry carries the bits of all
//! prefixes that cover it.

use super::bits::bits;

bits! {
    /// What the lists say of an address.
    AddressClass {
        /// An address of this pod, on any interface: what `-o lo` means.
        LOCAL = 0,
        /// `ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR`, or `::1`.
        LOOPBACK_EXEMPT = 1,
        /// `-x`.
        OUTBOUND_EXCLUDED = 2,
        /// `-i`.
        OUTBOUND_INCLUDED = 3,
        /// A DNS server whose questions are captured.
        DNS_SERVER = 4,
        /// The route to the address uses an interface of `-c`.
        INTERFACE_EXCLUDED = 5,
    }
}

bits! {
    /// What the lists say of a port, a user, a group or an interface.
    NumberClass {
        /// `-o`.
        OUTBOUND_EXCLUDED = 0,
        /// `-q`.
        OUTBOUND_INCLUDED = 1,
        /// `-d`.
        INBOUND_EXCLUDED = 2,
        /// `-b`.
        INBOUND_INCLUDED = 3,
        /// `-u` or `-g`.
        PROXY_ID = 4,
        /// The first of `-u`.
        FIRST_PROXY_ID = 5,
        /// `ISTIO_OUTBOUND_OWNER_GROUPS` or `..._EXCLUDE`.
        OWNER_GROUP = 6,
        /// `-c`, by its index.
        INTERFACE_EXCLUDED = 7,
    }
}
