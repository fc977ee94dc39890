// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The plugin on one node: put there, looked for and taken away.

use std::path::{Path, PathBuf};

use super::{
    binary::{self, Program},
    directory::{A_DIRECTORY, Directory, Replaced},
    entry::{Entry, PLUGIN},
    error::InstallError,
    plan::{Candidate, Layout, MAX_TEXT, Plan, Planner, Put, Undo, is_configuration},
    processes,
};

/// So often a plan is made anew because others have changed a file meanwhile.
const ATTEMPTS: usize = 10;
const BINARY_HINT: &str = "; check the directory of plugins, which some platforms have elsewhere (global.platform)";
const NET_HINT: &str = "; check the directory of CNI configurations, which some platforms have elsewhere \
                        (global.platform)";

/// The plugin on one node. Paths are paths of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Where the runtime looks for configurations.
    pub net_dir: PathBuf,
    /// Where the runtime looks for programs.
    pub bin_dir: PathBuf,
    /// The program to copy there.
    pub binary: PathBuf,
    pub layout: Layout,
    pub entry: Entry,
    /// Whether Istio's plugin is taken out of a list that has it. Otherwise such a list is refused.
    pub replace_istio_cni: bool,
    /// Whether the group of this process may read a file that is ours alone.
    pub group_read: bool,
}

/// What came of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The runtime calls the plugin.
    Installed {
        /// The file that has the entry.
        file: PathBuf,
        /// Whether anything had to be written.
        changed: bool,
    },
    /// No other plugin has made a valid configuration yet. The program is in place.
    NoList {
        /// What is wrong with each file.
        why: Vec<String>,
    },
}

/// What there is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// All is as it should be.
    InForce { file: PathBuf },
    /// The entry or the program is missing, or is not as it should be.
    Lost { file: PathBuf },
    /// See [`Outcome::NoList`].
    NoList { why: Vec<String> },
}

impl Installation {
    /// Puts the program into its directory and then the entry into its list, and writes only what differs.
    pub fn install(&self) -> Result<Outcome, InstallError> {
        let (programs, lists) = self.open()?;
        programs.check_writable(BINARY_HINT)?;
        lists.check_writable(NET_HINT)?;
        programs.sweep()?;
        lists.sweep()?;
        let program = Program::read(&self.binary)?;
        let mut changed = !program.is_in(&programs)?;
        again(&programs.path_of(PLUGIN), || program.put_into(&programs))?;
        let mut outcome = None;
        again(&self.net_dir, || {
            let candidates = candidates(&lists)?;
            let put = match self.planner().plan(&candidates)? {
                Plan::NoList { why } => {
                    outcome = Some(Outcome::NoList { why });
                    return Ok(Replaced::Done);
                }
                Plan::Put(put) => put,
            };
            changed |= !put.is_done();
            outcome = Some(Outcome::Installed { file: lists.path_of(&put.name), changed });
            execute(&lists, &put, &candidates)
        })?;
        outcome.ok_or_else(|| InstallError::Busy { path: self.net_dir.clone() })
    }

    /// Looks whether all is as it should be, and changes nothing.
    pub fn check(&self) -> Result<Standing, InstallError> {
        let (programs, lists) = self.open()?;
        let put = match self.planner().plan(&candidates(&lists)?)? {
            Plan::NoList { why } => return Ok(Standing::NoList { why }),
            Plan::Put(put) => put,
        };
        let file = lists.path_of(&put.name);
        let is_right = put.is_done() && Program::read(&self.binary)?.is_in(&programs)?;
        Ok(if is_right { Standing::InForce { file } } else { Standing::Lost { file } })
    }

    /// Takes the entry out of every list that has it, and then the program away. A pod that starts in between may need
    /// a second try: who wants to spare it calls the two steps apart.
    pub fn uninstall(&self) -> Result<(), InstallError> {
        self.remove_entry()?;
        self.remove_program()
    }

    /// Takes the entry out of every list that has it, wherever it is by now.
    pub fn remove_entry(&self) -> Result<(), InstallError> {
        self.check_names()?;
        let lists = Directory::open(&self.net_dir)?;
        lists.sweep()?;
        again(&self.net_dir, || {
            let candidates = candidates(&lists)?;
            for undo in self.planner().undo(&candidates)? {
                let (Undo::Remove { name } | Undo::Write { name, .. }) = &undo;
                let Some(version) = version(&candidates, name) else { continue };
                let replaced = match &undo {
                    Undo::Remove { .. } => lists.remove(name, version)?,
                    Undo::Write { text, attributes, .. } => lists.replace(name, text, *attributes, Some(version))?,
                };
                if replaced == Replaced::ChangedMeanwhile {
                    return Ok(replaced);
                }
            }
            Ok(Replaced::Done)
        })
    }

    /// Takes the program away, after which the runtime cannot call the plugin.
    pub fn remove_program(&self) -> Result<(), InstallError> {
        let programs = Directory::open(&self.bin_dir)?;
        programs.sweep()?;
        again(&programs.path_of(PLUGIN), || binary::remove_from(&programs))
    }

    /// Whether the program runs, as far as this directory of processes shows.
    pub fn is_running(&self, proc: &Path) -> bool {
        processes::is_running(&self.bin_dir.join(PLUGIN), proc)
    }

    fn open(&self) -> Result<(Directory, Directory), InstallError> {
        self.check_names()?;
        Ok((Directory::open(&self.bin_dir)?, Directory::open(&self.net_dir)?))
    }

    /// An error if a file would get a name that no runtime reads, or that leads elsewhere.
    pub fn check_names(&self) -> Result<(), InstallError> {
        let names = match &self.layout {
            Layout::Chained { file } => [file.as_deref(), None],
            Layout::OwnList { name, file } => [Some(name.as_str()), file.as_deref()],
            Layout::Standalone { name } => [Some(name.as_str()), None],
        };
        let bad = names
            .into_iter()
            .flatten()
            .find(|name| name.contains('/') || !is_configuration(name));
        bad.map_or(Ok(()), |name| Err(InstallError::Name { name: name.to_owned() }))
    }

    fn planner(&self) -> Planner<'_> {
        Planner {
            directory: &self.net_dir,
            layout: &self.layout,
            entry: &self.entry,
            replace_istio: self.replace_istio_cni,
            mode: if self.group_read { 0o640 } else { 0o600 },
        }
    }
}

impl Put {
    const fn is_done(&self) -> bool {
        self.text.is_none() && self.outdated.is_none()
    }
}

fn execute(lists: &Directory, put: &Put, candidates: &[Candidate]) -> Result<Replaced, InstallError> {
    let Put { name, text, attributes, outdated } = put;
    if let Some(text) = text
        && lists.replace(name, text, *attributes, version(candidates, name))? == Replaced::ChangedMeanwhile
    {
        return Ok(Replaced::ChangedMeanwhile);
    }
    match outdated.as_deref().and_then(|name| Some((name, version(candidates, name)?))) {
        Some((name, version)) => lists.remove(name, version),
        None => Ok(Replaced::Done),
    }
}

/// Which version of a file the plan was made for.
fn version(candidates: &[Candidate], name: &str) -> Option<super::directory::Version> {
    let found = candidates.iter().find(|candidate| candidate.name == name)?.found.as_ref();
    found.ok().map(|found| found.version)
}

/// The files that may be configurations, in the order of their names.
fn candidates(lists: &Directory) -> Result<Vec<Candidate>, InstallError> {
    let mut candidates = Vec::new();
    for name in lists.names()?.into_iter().filter(|name| is_configuration(name)) {
        let found = match lists.read(&name, MAX_TEXT) {
            Ok(Some(found)) => Ok(found),
            // Gone since the list of names was made; or passed over by runtimes, too
            // (`ConfFiles` of https://github.com/containernetworking/cni/blob/v1.3.0/libcni/conf.go).
            Ok(None) | Err(InstallError::NotAFile { what: A_DIRECTORY, .. }) => continue,
            Err(InstallError::NotAFile { what, .. }) => Err(what),
            Err(error) => return Err(error),
        };
        candidates.push(Candidate { name, found });
    }
    Ok(candidates)
}

/// Tries until nobody else has written meanwhile.
fn again(path: &Path, mut attempt: impl FnMut() -> Result<Replaced, InstallError>) -> Result<(), InstallError> {
    for _attempt in 0..ATTEMPTS {
        if attempt()? == Replaced::Done {
            return Ok(());
        }
    }
    Err(InstallError::Busy { path: path.to_owned() })
}
