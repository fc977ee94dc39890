// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The machine's file system: an archive that the kernel unpacks into memory.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::built::Built;
use super::foreign;
use super::kernel::Kernel;
use super::programs::{below, copy_directory, copy_libraries, copy_program, copy_to, libraries};
use super::step::Step;
use super::unpacked::remove;
use crate::architecture::Architecture;
use crate::run::{ask, say};

/// Of this system. What is not here, busybox has.
const PROGRAMS: &[&str] = &[
    "busybox",
    "curl",
    "findmnt",
    "ip",
    "ip6tables-legacy-restore",
    "ip6tables-legacy-save",
    "ip6tables-nft-restore",
    "ip6tables-nft-save",
    "iptables-legacy",
    "iptables-legacy-restore",
    "iptables-legacy-save",
    "iptables-nft",
    "iptables-nft-restore",
    "iptables-nft-save",
    "mount",
    "nsenter",
    "setpriv",
    "umount",
    "unshare",
];

/// The kernel calls it when somebody asks for what is in a module.
const MODPROBE: &str = "modprobe";

/// Where the kernel's modules for networks lie; the others have no use in this machine.
const MODULES: &[&str] = &[
    "kernel/net",
    "kernel/drivers/net",
    "kernel/lib",
    "kernel/crypto",
    "kernel/arch/arm64/crypto",
    "kernel/arch/x86/crypto",
];

const PATH: &str = "/workspace/deps:/workspace:/usr/sbin:/usr/bin:/sbin:/bin";

/// Longer than the minute that tests wait for something elsewhere: this machine is slow.
const TIMEOUT_IN_SECONDS: &str = "600";

/// A tenth of what is done elsewhere, for the same reason; of the moments at which the loader is killed, a fifth.
/// What one enrollment left would still be seen.
const ENROLLMENTS: &str = "50";
const RANDOM_CASES: &str = "12";
const MOMENTS: &str = "10";

/// Packs everything, with the orders to take `steps`, and returns the archive's path.
pub(super) fn build(directory: &Path, kernel: &Kernel, built: &Built, steps: &[Step]) -> Result<PathBuf> {
    let name = kernel.name()?;
    let root = directory.join(format!("{name}-root"));
    remove(&root)?;
    say(&format!(
        "packing the file system for Linux {} in {}",
        kernel.release,
        root.display()
    ));
    let foreign = kernel.architecture.is_foreign()?.then_some(kernel.architecture);
    if let Some(architecture) = foreign {
        copy_directory(&foreign::home(architecture, directory), &root)?;
    } else {
        programs_of_this_machine(&root)?;
    }
    system(&root)?;
    modules(&root, kernel)?;
    workspace(&root, built, foreign)?;
    let environment = json!({
        "PATH": PATH,
        "HOME": "/root",
        "INTERCEPTOR_BIN": "/workspace/interceptor",
        "INTERCEPTOR_TEST_TIMEOUT": TIMEOUT_IN_SECONDS,
        "INTERCEPTOR_TEST_ENROLLMENTS": ENROLLMENTS,
        "INTERCEPTOR_TEST_CASES": RANDOM_CASES,
        "INTERCEPTOR_TEST_MOMENTS": MOMENTS,
    });
    let steps: Vec<_> = steps.iter().map(Step::order).collect();
    write(
        &root,
        "orders.json",
        &json!({ "environment": environment, "steps": steps }).to_string(),
    )?;
    pack(&root, &directory.join(format!("{name}.cpio")))
}

fn programs_of_this_machine(root: &Path) -> Result<()> {
    for program in PROGRAMS.iter().chain([&MODPROBE]) {
        copy_program(program, root).with_context(|| format!("cannot take {program} along"))?;
    }
    extensions_of_iptables(root)
}

fn system(root: &Path) -> Result<()> {
    // Busybox has a list of what it can be called.
    let busybox = fs::canonicalize("/bin/busybox")
        .or_else(|_| fs::canonicalize("/usr/bin/busybox"))
        .context("cannot find busybox")?;
    fs::create_dir_all(root.join("bin"))?;
    for applet in ask(Command::new(&busybox).arg("--list"))?.lines() {
        let link = root.join("bin").join(applet);
        if link.symlink_metadata().is_err() {
            symlink(&busybox, &link).with_context(|| format!("cannot make {}", link.display()))?;
        }
    }
    for table in ["protocols", "services"] {
        let file = Path::new("/etc").join(table);
        if file.exists() {
            copy_to(&file, root)?;
        }
    }
    write(
        root,
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
    )?;
    write(root, "etc/group", "root:x:0:\nnogroup:x:65534:\n")?;
    write(root, "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")?;
    write(root, "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")?;
    write(root, "etc/resolv.conf", "")?;
    // On the same file system as the programs, so that tests can link them.
    ["root", "tmp"]
        .iter()
        .try_for_each(|name| fs::create_dir_all(root.join(name)).with_context(|| format!("cannot make {name}")))?;
    fs::set_permissions(root.join("tmp"), Permissions::from_mode(0o1777)).context("cannot open tmp to everyone")
}

/// iptables loads its matches and targets from a directory beside its library.
fn extensions_of_iptables(root: &Path) -> Result<()> {
    let program = fs::canonicalize("/usr/sbin/iptables-legacy").context("cannot find iptables-legacy")?;
    let library = libraries(&program)?
        .into_iter()
        .find(|path| path.to_string_lossy().contains("libxtables"));
    let library = library.context("iptables-legacy is not linked with libxtables")?;
    for folder in [library.parent(), library.canonicalize()?.parent()].into_iter().flatten() {
        let extensions = folder.join("xtables");
        let to = below(root, &extensions);
        if extensions.is_dir() && !to.exists() {
            copy_directory(&extensions, &to)?;
        }
    }
    Ok(())
}

fn modules(root: &Path, kernel: &Kernel) -> Result<()> {
    let (from, to) = (kernel.modules(), root.join("lib/modules").join(&kernel.release));
    for part in MODULES.iter().filter(|part| from.join(part).exists()) {
        copy_directory(&from.join(part), &to.join(part))?;
    }
    for list in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
        fs::copy(from.join(list), to.join(list))
            .with_context(|| format!("cannot copy {list} of Linux {}", kernel.release))?;
    }
    let status = Command::new("/usr/sbin/depmod")
        .arg("-b")
        .arg(root)
        .arg(&kernel.release)
        .status()
        .context("cannot start depmod")?;
    ensure!(status.success(), "depmod failed: {status}");
    // The kernel looks for it here.
    let link = root.join("sbin").join(MODPROBE);
    if link.symlink_metadata().is_err() {
        fs::create_dir_all(root.join("sbin"))?;
        symlink("/usr/sbin/modprobe", &link).with_context(|| format!("cannot make {}", link.display()))?;
    }
    Ok(())
}

/// The programs, and the tests one directory below, as cargo lays them out. What those of another architecture are
/// linked with has come with its packages.
fn workspace(root: &Path, built: &Built, foreign: Option<Architecture>) -> Result<()> {
    let strip = foreign.map_or_else(|| "strip".to_owned(), |architecture| architecture.tool("strip"));
    let home = root.join("workspace");
    fs::create_dir_all(home.join("deps")).with_context(|| format!("cannot make {}", home.display()))?;
    let programs = built.programs.iter().map(|(name, path)| (home.join(name), path));
    let tests = built.tests.iter().map(|(name, path)| (home.join("deps").join(name), path));
    for (to, from) in programs.chain(tests) {
        // Without what only debuggers read a program has a tenth of its size.
        let status = Command::new(&strip)
            .arg("-o")
            .arg(&to)
            .arg(from)
            .status()
            .with_context(|| format!("cannot start {strip}"))?;
        ensure!(status.success(), "strip {} failed: {status}", from.display());
        if foreign.is_none() {
            copy_libraries(from, root)?;
        }
    }
    symlink("/workspace/interceptor-init", root.join("init")).context("cannot make /init")
}

fn write(root: &Path, name: &str, text: &str) -> Result<()> {
    let path = root.join(name);
    fs::create_dir_all(path.parent().context("a file without a folder")?)?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn pack(root: &Path, archive: &Path) -> Result<PathBuf> {
    let out = fs::File::create(archive).with_context(|| format!("cannot write {}", archive.display()))?;
    let mut find = Command::new("find")
        .arg(".")
        .current_dir(root)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start find")?;
    let names = find.stdout.take().context("find has no output")?;
    let mut cpio = Command::new("busybox");
    cpio.args(["cpio", "-o", "-H", "newc"])
        .current_dir(root)
        .stdin(names)
        .stdout(out)
        .stderr(Stdio::null());
    let packed = cpio.status().context("cannot start busybox")?;
    let found = find.wait().context("cannot wait for find")?;
    ensure!(
        packed.success() && found.success(),
        "cannot pack {}: {packed}, {found}",
        root.display()
    );
    Ok(archive.to_owned())
}
