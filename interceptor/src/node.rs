// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Everything that a front end may do to a node. What the kernel needs for it is below, in `kernel`.

use std::{path::Path, time::Duration};

use interceptor_config::{CompiledPolicy, Wanted};
use interceptor_policy::Enrollment;

use crate::{
    Cgroup, EnrollError, Enrolled, Pod, Prepared,
    kernel::{
        enroll::{
            execute, keep,
            plan::{self, Leftovers, Request},
            steps::Plan,
            told::Upgrade,
            unenroll, upgrade,
        },
        node::{
            bpffs::Bpffs,
            pinned::PinnedNode,
            status::{self, Counts, PodStatus},
            trace::{Trace, TraceFilter, TraceLimits},
        },
        pod::{istio_rules, netns::Netns},
    },
};

/// A node, that is a mounted BPF file system in which everything of its pods is pinned.
///
/// Methods that write take a lock, and wait for it no longer than they are told. Methods that read never write.
#[derive(Clone, Debug)]
pub struct Node {
    bpffs: Bpffs,
}

impl Node {
    /// The node with this BPF file system, usually `/sys/fs/bpf`.
    pub fn open(bpffs: &Path) -> Result<Self, EnrollError> {
        Ok(Self { bpffs: Bpffs::open(bpffs)? })
    }

    /// Enrolls a pod, or switches it to another configuration at one instant. Changes nothing if the pod is enrolled
    /// with this very configuration. Linux 5.19.
    pub fn enroll(&self, pod: &Pod, wanted: &Wanted, wait: Duration) -> Result<Enrolled, EnrollError> {
        without_rules(pod.netns())?;
        with_request(&self.bpffs, (pod.netns(), pod.cgroup()), wanted, |request| {
            execute::enroll(&self.bpffs, request, wait)
        })
    }

    /// Does of [`Self::enroll`] what changes nothing and waits for nobody, so that it may be done for many pods at
    /// once: reads the pod's network, and compiles its policy.
    pub fn prepare(&self, netns: &Netns, wanted: &Wanted) -> Result<Prepared, EnrollError> {
        without_rules(netns)?;
        Prepared::read(&self.bpffs, netns, wanted)
    }

    /// The rest of [`Self::enroll`]. What changed in the pod's network since is not in force: whoever hears of changes
    /// has to [refresh](Self::refresh) the pod. What is left of other pods is not looked for
    /// ([`Self::collect_garbage`]), so this takes as long on a node with many pods.
    pub fn enroll_prepared(&self, pod: &Pod, prepared: &Prepared, wait: Duration) -> Result<Enrolled, EnrollError> {
        prepared.run(pod.netns(), pod.cgroup(), |request| {
            execute::enroll(&self.bpffs, Request { leftovers: Leftovers::Left, ..request }, wait)
        })
    }

    /// What [`Self::enroll`] would do now.
    pub fn plan(&self, pod: &Pod, wanted: &Wanted) -> Result<Enrolled, EnrollError> {
        with_request(&self.bpffs, (pod.netns(), pod.cgroup()), wanted, |request| self.draw(request))
    }

    /// Reads the addresses, interfaces and routes of an enrolled pod again. Switches the pod at one instant if its
    /// policy has to follow, and puts back what its network has lost; open connections stay as they are. Changes
    /// nothing if nothing changed. An error if the pod is not enrolled; it is never enrolled by this.
    ///
    /// `wanted` is what the pod was enrolled with. What a run of the command would do besides is not done.
    pub fn refresh(&self, netns: &Netns, wanted: &Wanted, wait: Duration) -> Result<Enrolled, EnrollError> {
        let cgroup = self.cgroup_of(netns)?;
        with_request(&self.bpffs, (netns, &cgroup), wanted, |request| {
            execute::enroll(&self.bpffs, refreshing(request), wait)
        })
    }

    /// Does the same of [`Self::refresh`].
    pub fn prepare_refresh(&self, netns: &Netns, wanted: &Wanted) -> Result<Prepared, EnrollError> {
        Prepared::read(&self.bpffs, netns, wanted)
    }

    /// The rest of [`Self::refresh`].
    pub fn refresh_prepared(
        &self,
        netns: &Netns,
        prepared: &Prepared,
        wait: Duration,
    ) -> Result<Enrolled, EnrollError> {
        let cgroup = self.cgroup_of(netns)?;
        prepared.run(netns, &cgroup, |request| {
            execute::enroll(&self.bpffs, Request { leftovers: Leftovers::Left, ..refreshing(request) }, wait)
        })
    }

    /// What [`Self::refresh_prepared`] would do now.
    pub fn plan_prepared(&self, netns: &Netns, prepared: &Prepared) -> Result<Enrolled, EnrollError> {
        let cgroup = self.cgroup_of(netns)?;
        prepared.run(netns, &cgroup, |request| self.draw(refreshing(request)))
    }

    /// What [`Self::refresh`] would do now.
    pub fn plan_refresh(&self, netns: &Netns, wanted: &Wanted) -> Result<Enrolled, EnrollError> {
        let cgroup = self.cgroup_of(netns)?;
        with_request(&self.bpffs, (netns, &cgroup), wanted, |request| self.draw(refreshing(request)))
    }

    fn draw(&self, request: Request<'_>) -> anyhow::Result<Plan> {
        plan::draw(&self.bpffs, PinnedNode::open(&self.bpffs)?.as_ref(), request)
    }

    /// The cgroup that a pod is enrolled with.
    fn cgroup_of(&self, netns: &Netns) -> Result<Cgroup, EnrollError> {
        match self.enrollment(netns.cookie())? {
            Some(Enrollment { cgroup_id, .. }) => Cgroup::with_id(cgroup_id),
            None => Err(EnrollError::NotEnrolled { name: netns.name().to_owned() }),
        }
    }

    /// Ends the enrollment of a pod. Returns whether the pod was enrolled.
    pub fn unenroll(&self, netns: &Netns, wait: Duration) -> Result<bool, EnrollError> {
        Ok(unenroll::unenroll(&self.bpffs, netns.cookie(), wait)?)
    }

    /// The same, for a pod whose network namespace may be gone: it is named by its cookie.
    pub fn unenroll_cookie(&self, netns_cookie: u64, wait: Duration) -> Result<bool, EnrollError> {
        Ok(unenroll::unenroll(&self.bpffs, netns_cookie, wait)?)
    }

    /// Ends the enrollments of pods whose network namespace is gone, and removes what killed runs left. Returns the
    /// cookies of these pods.
    pub fn collect_garbage(&self, wait: Duration) -> Result<Vec<u64>, EnrollError> {
        Ok(unenroll::collect_garbage(&self.bpffs, wait)?)
    }

    /// Ends the enrollment of all pods, and removes everything that any version has pinned. Returns whether there was
    /// anything.
    pub fn unenroll_all(&self, wait: Duration) -> Result<bool, EnrollError> {
        Ok(unenroll::unenroll_all(&self.bpffs, wait)?)
    }

    /// Loads the programs and shared maps if they are not there, and keeps them although no pod is enrolled, until
    /// [`Self::release`] or [`Self::unenroll_all`]: they stay when this process ends. Other versions of the ABI are not
    /// kept any more. Linux 5.19.
    pub fn keep(&self, wait: Duration) -> Result<(), EnrollError> {
        Ok(keep::keep(&self.bpffs, wait)?)
    }

    /// Whether [`Self::keep`] is in force.
    pub fn is_kept(&self) -> Result<bool, EnrollError> {
        Ok(keep::is_kept(&self.bpffs)?)
    }

    /// Ends [`Self::keep`], of all versions. Programs and maps go at once where no pod is enrolled, and otherwise with
    /// the last pod.
    pub fn release(&self, wait: Duration) -> Result<(), EnrollError> {
        Ok(keep::release(&self.bpffs, wait)?)
    }

    /// Gives all enrolled pods the programs of this build, while their connections go on. `None` if nothing is loaded.
    /// Pods that another ABI version enrolled keep their programs.
    ///
    /// Each link changes from one program to the other in one step. If it fails, or this process is killed, pods are
    /// intercepted all the same, by the programs of either build; calling it again finishes.
    pub fn upgrade(&self, wait: Duration) -> Result<Option<Upgrade>, EnrollError> {
        Ok(upgrade::upgrade(&self.bpffs, wait)?)
    }

    /// Takes the last [`Self::upgrade`] back, in the same way. The same again goes forward.
    pub fn roll_back(&self, wait: Duration) -> Result<Option<Upgrade>, EnrollError> {
        Ok(upgrade::roll_back(&self.bpffs, wait)?)
    }

    /// What [`Self::upgrade`] would do now, or [`Self::roll_back`] with `back`.
    pub fn plan_upgrade(&self, back: bool) -> Result<Option<Upgrade>, EnrollError> {
        Ok(upgrade::plan(&self.bpffs, back)?)
    }

    /// How many pods each other version of the ABI has enrolled, by the name of the version.
    pub fn pods_of_other_versions(&self) -> Result<Vec<(String, usize)>, EnrollError> {
        Ok(status::pods_of_other_versions(&self.bpffs)?)
    }

    /// A number of the directory in which everything is pinned: another BPF file system has another one, and so has a
    /// directory that was removed with its last pod and made anew. `None` while nothing is pinned.
    pub fn home(&self) -> Result<Option<u64>, EnrollError> {
        Ok(self.bpffs.home().inode()?)
    }

    /// All enrolled pods, the oldest network namespace first.
    pub fn status(&self) -> Result<Vec<PodStatus>, EnrollError> {
        Ok(status::pods(&self.bpffs)?)
    }

    /// The entry of the pod with this cookie, if it is enrolled.
    pub fn enrollment(&self, netns_cookie: u64) -> Result<Option<Enrollment>, EnrollError> {
        Ok(status::enrollment(&self.bpffs, netns_cookie)?)
    }

    /// The entries of all enrolled pods, by the cookies of their network namespaces. Quicker than [`Self::status`].
    pub fn enrollments(&self) -> Result<Vec<(u64, Enrollment)>, EnrollError> {
        Ok(status::enrollments(&self.bpffs)?)
    }

    /// Whether any version of this program has something pinned for the network namespace with this cookie.
    pub fn is_pinned(&self, netns_cookie: u64) -> Result<bool, EnrollError> {
        Ok(status::is_pinned(&self.bpffs, netns_cookie)?)
    }

    /// The counters of all enrolled pods, by the cookies of their network namespaces.
    pub fn all_counters(&self) -> Result<Vec<(u64, Counts)>, EnrollError> {
        Ok(status::all_counters(&self.bpffs)?)
    }

    /// How often each reason was counted in a pod. Reasons that never were, and pods that are not enrolled, have
    /// none.
    pub fn counters(&self, netns: &Netns) -> Result<Counts, EnrollError> {
        Ok(status::counters(&self.bpffs, netns.cookie())?)
    }

    /// The policy that is in force in a pod, read back from the kernel.
    pub fn policy(&self, netns: &Netns) -> Result<CompiledPolicy, EnrollError> {
        let policy = status::policy(&self.bpffs, netns.cookie())?;
        policy.ok_or_else(|| EnrollError::NotEnrolled { name: netns.name().to_owned() })
    }

    /// Begins to follow the verdicts on connections of a pod, or of all pods.
    pub fn trace(&self, filter: &TraceFilter, limits: TraceLimits) -> Result<Trace, EnrollError> {
        Ok(Trace::start(&self.bpffs, filter, limits)?)
    }
}

/// Fails if this program's rules redirect the connections of the pod.
fn without_rules(netns: &Netns) -> Result<(), EnrollError> {
    if istio_rules::found(netns)?.is_some_and(|rules| rules.ours) {
        return Err(EnrollError::OtherDataPath { name: netns.name().to_owned(), data_path: "iptables" });
    }
    Ok(())
}

/// Reads what the policy depends on, compiles it, and runs something with it.
fn with_request(
    bpffs: &Bpffs,
    (netns, cgroup): (&Netns, &Cgroup),
    wanted: &Wanted,
    run: impl FnOnce(Request<'_>) -> anyhow::Result<Plan>,
) -> Result<Enrolled, EnrollError> {
    Prepared::read(bpffs, netns, wanted)?.run(netns, cgroup, run)
}

/// The same request for a pod that is enrolled already.
const fn refreshing(request: Request<'_>) -> Request<'_> {
    Request { force: false, enrolled_only: true, ..request }
}
