// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the run ran on, for the report. It changes nothing.

use std::{fmt, fs, path::Path, process::Command, thread};

use serde::Serialize;

/// What the run ran on.
#[derive(Debug, Serialize)]
pub struct Machine {
    pub processor: String,
    pub processors: usize,
    /// Whether a hypervisor says that it is there.
    pub virtual_machine: bool,
    pub memory_kib: Option<u64>,
    pub kernel: String,
    /// Processes that ran or wanted to when the run began, one minute's mean: more than a fraction is a busy machine.
    pub load: Option<f64>,
    /// What each program says of its version.
    pub versions: Vec<String>,
}

impl Machine {
    /// `against` is the other build, if there is one. Two builds may say the same version, so its path is named.
    pub fn look(interceptor: &Path, against: Option<&Path>) -> Self {
        let info = read("/proc/cpuinfo");
        let field = |name: &str| {
            let line = info.lines().find(|line| line.starts_with(name))?;
            line.split_once(':').map(|(_, value)| value.trim().to_owned())
        };
        let memory = read("/proc/meminfo");
        let interceptor = interceptor.display().to_string();
        let programs = [
            (interceptor.as_str(), "--version"),
            ("iptables-legacy-restore", "--version"),
            ("iptables-nft-restore", "--version"),
        ];
        let other = against.map(|path| {
            let path = path.display().to_string();
            format!("other build: {} ({path})", version(&path, "--version"))
        });
        Self {
            processor: field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            processors: thread::available_parallelism().map_or(1, usize::from),
            virtual_machine: field("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
            memory_kib: memory.split_whitespace().nth(1).and_then(|size| size.parse().ok()),
            kernel: [read("/proc/sys/kernel/osrelease"), read("/proc/sys/kernel/version")]
                .map(|text| text.trim().to_owned())
                .join(" "),
            load: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()),
            versions: programs
                .map(|(program, flag)| version(program, flag))
                .into_iter()
                .chain(other)
                .collect(),
        }
    }
}

/// Empty when it cannot be read: the machine is described as far as it is known.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn version(program: &str, flag: &str) -> String {
    let said = Command::new(program)
        .arg(flag)
        .output()
        .ok()
        .filter(|output| output.status.success());
    let line = said.and_then(|output| String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned));
    line.unwrap_or_else(|| format!("{program}: version unknown"))
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, processors, virtual_machine, kernel, load, versions, .. } = self;
        let place = if *virtual_machine { " in a virtual machine" } else { "" };
        write!(
            formatter,
            "{processor}, {processors} processors{place}; Linux {kernel}; {}",
            versions.join("; ")
        )?;
        if let Some(load) = load {
            write!(formatter, "; load at the start {load:.2}")?;
        }
        Ok(())
    }
}
