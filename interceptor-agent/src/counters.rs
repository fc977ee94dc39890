// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel's counters as metrics: read when somebody asks. It blocks.

use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use interceptor::{EnrollError, Node, Reason};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

pub(crate) type Counts = BTreeMap<&'static str, u64>;

/// The counters of all pods, summed up by reason.
pub(crate) struct KernelCounters {
    bpffs: PathBuf,
    seen: Mutex<Seen>,
}

/// A pod that goes takes its counters along, but a sum must never fall.
#[derive(Default)]
struct Seen {
    of_ended: Counts,
    of_pods: BTreeMap<u64, Counts>,
}

impl KernelCounters {
    pub(crate) fn new(bpffs: PathBuf) -> Self {
        Self { bpffs, seen: Mutex::default() }
    }

    /// How many pods are enrolled, and what was counted in them and in those before them, as far as somebody asked
    /// while they lived.
    fn read(&self) -> Result<(usize, Counts), EnrollError> {
        let counters = Node::open(&self.bpffs)?.all_counters()?;
        let pods: BTreeMap<u64, Counts> = counters
            .into_iter()
            .map(|(cookie, reasons)| {
                (
                    cookie,
                    reasons.into_iter().map(|(reason, count)| (reason.label(), count)).collect(),
                )
            })
            .collect();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((pods.len(), seen.update(pods)))
    }
}

impl Seen {
    fn update(&mut self, pods: BTreeMap<u64, Counts>) -> Counts {
        let Self { of_ended, of_pods } = self;
        for (_, counts) in of_pods.iter().filter(|(cookie, _)| !pods.contains_key(cookie)) {
            add(of_ended, counts);
        }
        *of_pods = pods;
        let mut sum = of_ended.clone();
        for counts in of_pods.values() {
            add(&mut sum, counts);
        }
        sum
    }
}

fn add(sum: &mut Counts, counts: &Counts) {
    for (reason, count) in counts {
        *sum.entry(reason).or_default() += count;
    }
}

/// Every reason has its count from the start, so that the first event is an increase for Prometheus.
pub(crate) fn encode(encoder: &mut DescriptorEncoder<'_>, pods: usize, counts: &Counts) -> fmt::Result {
    let gauge = ConstGauge::new(i64::try_from(pods).unwrap_or(i64::MAX));
    let kind = gauge.metric_type();
    gauge.encode(encoder.encode_descriptor("interceptor_enrolled_pods", "Pods that are enrolled", None, kind)?)?;
    let kind = ConstCounter::new(0_u64).metric_type();
    let help = "What the kernel programs decided about connections, by reason";
    let mut family = encoder.encode_descriptor("interceptor_connections", help, None, kind)?;
    for reason in Reason::ALL.iter().map(|reason| reason.label()) {
        let count = counts.get(reason).copied().unwrap_or_default();
        ConstCounter::new(count).encode(family.encode_family(&[("reason", reason)])?)?;
    }
    Ok(())
}

impl Collector for KernelCounters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        match self.read() {
            Ok((pods, counts)) => encode(&mut encoder, pods, &counts),
            Err(error) => {
                tracing::warn!("Failed to read the kernel's counters: {error}");
                Ok(())
            }
        }
    }
}

impl fmt::Debug for KernelCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelCounters")
            .field("bpffs", &self.bpffs)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_goes_leaves_its_counts_in_the_sum() {
        let of = |count| Counts::from([("proxy_owner", count)]);
        let mut seen = Seen::default();
        assert_eq!(seen.update([(1, of(3)), (2, of(4))].into()), of(7));
        assert_eq!(seen.update([(2, of(5))].into()), of(8));
        assert_eq!(seen.update([].into()), of(8));
        assert_eq!(seen.update([(3, of(1))].into()), of(9));
    }
}
