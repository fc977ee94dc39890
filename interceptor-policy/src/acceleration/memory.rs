// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether the kernel has the memory for a message on the direct path.

/// How much memory TCP uses on the whole machine, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub taken: i64,
    /// The first number of `net.ipv4.tcp_mem`. Zero means that no message takes the direct path.
    pub low: i64,
}

impl Memory {
    /// Whether the kernel will queue a message at the receiver, whatever its size. If it does not, `send()` fails with
    /// `ENOMEM`; TCP would make its writer wait instead.
    ///
    /// Below the first number of `tcp_mem` the kernel refuses no message. At the second number it enters memory
    /// pressure, and refuses sockets that use more than their share, beginning with the socket that reached it. So the
    /// kernel's own flag for memory pressure would come too late. The gap between the two limits absorbs concurrent
    /// sends.
    #[inline(always)]
    pub const fn suffices(self) -> bool {
        // The kernel keeps a part of the count on each CPU, so the sum may be negative for a while.
        self.low > 0 && self.taken < self.low
    }
}
