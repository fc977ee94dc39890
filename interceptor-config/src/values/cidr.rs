// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An IP range, with the address as it was written.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use serde::{Serialize, Serializer};

/// An address and a prefix length. Bits behind the prefix may be set. They select nothing, but Istio looks at the
/// address as written: `127.0.0.1/0` is a loopback range to Istio, and `0.0.0.0/0` is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr(IpNet);

impl Cidr {
    /// As written, with the bits behind the prefix.
    pub fn address(self) -> IpAddr {
        self.0.addr()
    }

    /// 0 to 32, or 0 to 128.
    pub fn prefix_len(self) -> u8 {
        self.0.prefix_len()
    }
}

impl From<IpNet> for Cidr {
    fn from(net: IpNet) -> Self {
        Self(net)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Cidr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
