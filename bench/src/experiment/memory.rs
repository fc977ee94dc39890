// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the kernel keeps.

use std::{
    cell::Cell,
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use testkit::{Node, scene::Stack};

use super::{
    enroll::small_pod,
    lab::Lab,
    outcome::{Better, Outcome, Unit},
    plan::{Contender, Plan},
};
use crate::{
    stage::{MeasuredPod, Variant},
    worker::Work,
};

pub(super) fn run(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    Ok(vec![for_each_pod(lab)?, for_each_connection(lab)?])
}

/// By how much the kernel's memory grows when many pods become intercepted at once, that are there already.
fn for_each_pod(lab: &mut Lab<'_>) -> anyhow::Result<Outcome> {
    let node = Node::new();
    small_pod(&node, "first").enroll(&[]);
    let batch = lab.effort.pick(50, 100);
    let made = Cell::new(0);
    let contender = |variant: Variant| {
        let (node, made) = (&node, &made);
        Contender::new(variant.name(), move || {
            let pods: Vec<_> = (0..batch)
                .map(|index| small_pod(node, &format!("new-{}-{index}", made.get())))
                .collect();
            made.set(made.get() + 1);
            let before = peak_of_kernel_memory()?;
            for pod in &pods {
                variant.install(pod, Stack::V4, &[]).map_err(|why| anyhow::anyhow!("{why}"))?;
            }
            Ok(vec![((peak_of_kernel_memory()? - before) / f64::from(batch)).max(0.0)])
        })
    };
    let contenders = Variant::INTERCEPTING.map(contender).into();
    let title = "kernel memory for each intercepted pod".to_owned();
    lab.run(Plan {
        name: "memory-pod".to_owned(),
        title,
        unit: Unit::Bytes,
        better: Better::Less,
        contenders,
    })
}

/// What connections held open keep, both of their ends included.
///
/// Those that are intercepted come from the pod's address, and those of `direct` from `127.0.0.1`. The kernel shares
/// one route among all connections to an address of `lo`, and keeps one for each connection to a local address of
/// another interface: so one contender shows what connections from the pod's address keep that nobody intercepts.
fn for_each_connection(lab: &mut Lab<'_>) -> anyhow::Result<Outcome> {
    let mut pod = lab.another_pod("pod-direct-own-address")?;
    let address: SocketAddrV4 = pod.scene().app().parse().context("the pod's address")?;
    let from_the_pod = Contender::new("direct, from the pod's address", move || {
        held_open(&mut pod, Some(*address.ip()))
    });
    let title = "kernel memory for each connection, both ends".to_owned();
    let contenders = vec![from_the_pod];
    let plan = Plan {
        name: "memory-connection".to_owned(),
        title,
        unit: Unit::Bytes,
        better: Better::Less,
        contenders,
    };
    lab.run_in_pods(plan, |pod| held_open(pod, None))
}

fn held_open(pod: &mut MeasuredPod<'_>, from: Option<Ipv4Addr>) -> anyhow::Result<Vec<f64>> {
    let count = 12_000;
    let to = pod.servers(8);
    let before = objects()?;
    let (took, during) = pod.hold(Work::ManyOpen { from, to, count }, objects);
    anyhow::ensure!(took.failed == 0, "{} of {count} connections failed", took.failed);
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let count = count as f64;
    Ok(vec![((during? - before) / count).max(0.0)])
}

/// The highest of [`LOOKS`] looks at [`kernel_memory`]. Between two looks the kernel frees some hundred KiB of its own
/// and takes them again, with a period of about ten looks; the top of that wave stays where it is.
fn peak_of_kernel_memory() -> anyhow::Result<f64> {
    (0..LOOKS).try_fold(0.0, |highest: f64, _| Ok(highest.max(kernel_memory()?)))
}

const LOOKS: usize = 16;

/// What the kernel has taken for itself and can tell apart from user memory, in bytes: objects in slabs, memory for
/// each processor, and mappings like those of programs and rule sets. Stacks of processes are such mappings too
/// (`CONFIG_VMAP_STACK`), and come and go.
fn kernel_memory() -> anyhow::Result<f64> {
    let objects = objects()?;
    let text = fs::read_to_string("/proc/meminfo").context("read /proc/meminfo")?;
    let kib = |part: &str| -> anyhow::Result<f64> {
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(part))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
        value.with_context(|| format!("find {part:?} in /proc/meminfo"))
    };
    Ok(objects + 1024.0 * (kib("Percpu:")? + kib("VmallocUsed:")? - kib("KernelStack:")?))
}

/// The objects that stand in slabs, in bytes. Slabs themselves are kept for later when their objects are gone.
fn objects() -> anyhow::Result<f64> {
    give_back()?;
    let text = fs::read_to_string("/proc/slabinfo").context("read /proc/slabinfo")?;
    let size = |line: &str| -> Option<f64> {
        let mut fields = line.split_whitespace().skip(1);
        let (active, _total, size) = (fields.next()?, fields.next()?, fields.next()?);
        Some(active.parse::<f64>().ok()? * size.parse::<f64>().ok()?)
    };
    // The first two lines are headings.
    text.lines()
        .skip(2)
        .map(|line| size(line).with_context(|| format!("make sense of {line:?}")))
        .sum()
}

/// What has ended is freed some grace periods later.
const SETTLING: Duration = Duration::from_millis(100);

/// Waits until what has ended is gone. Then has the kernel forget the files that it remembers for whoever asks again,
/// such as those of cgroups, each processor give back what it holds ready for itself, which counts as taken, and the
/// caches their empty slabs. Where the kernel does not offer that (`CONFIG_SLUB_DEBUG`), more is noise.
#[expect(
    clippy::disallowed_methods,
    reason = "the kernel tells nobody when everything is freed; what is left shows as noise"
)]
fn give_back() -> anyhow::Result<()> {
    thread::sleep(SETTLING);
    // Only what nobody uses: pins stay.
    fs::write("/proc/sys/vm/drop_caches", "2").context("write /proc/sys/vm/drop_caches")?;
    let Ok(caches) = fs::read_dir("/sys/kernel/slab") else {
        return Ok(());
    };
    for cache in caches {
        let cache = cache.context("list the kernel's caches")?;
        // What shares another's slabs is a link to it.
        if cache.file_type().is_ok_and(|kind| kind.is_dir()) {
            let shrink = cache.path().join("shrink");
            fs::write(&shrink, "1").with_context(|| format!("write {}", shrink.display()))?;
        }
    }
    Ok(())
}
