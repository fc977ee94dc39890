// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which file gets which text. It reads texts, and touches no file.

use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

use super::{
    directory::{Attributes, Found},
    entry::{Entry, PLUGIN},
    error::InstallError,
    network::{ISTIO, Network, VERSION, is_same_json},
};

/// How long a configuration may be.
pub(super) const MAX_TEXT: u64 = 1024 * 1024;

/// Where the entry is put. All names are names of files in the directory that the runtime reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Into the list that the runtime reads: the file of this name, or the first valid one.
    Chained { file: Option<String> },
    /// Into a list of our own, which has all plugins of that list, and which the runtime reads first because of its
    /// name.
    OwnList { name: String, file: Option<String> },
    /// Into a file of its own, which names no other plugin. Multus reads such files.
    Standalone { name: String },
}

/// A file of the directory that may be a configuration.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) name: String,
    /// Or what is there instead of a file that can be read.
    pub(super) found: Result<Found, &'static str>,
}

/// What the directory should look like.
#[derive(Debug)]
pub(super) enum Plan {
    /// There is nothing yet that the entry could be put into. Says what is wrong with each file.
    NoList {
        why: Vec<String>,
    },
    Put(Put),
}

/// The file that has the entry.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) name: String,
    /// `None` if its text is right.
    pub(super) text: Option<Vec<u8>>,
    pub(super) attributes: Attributes,
    /// A file that this one stands in for, and which would be read before it.
    pub(super) outdated: Option<String>,
}

/// What has to be done to one file, so that the entry is gone.
#[derive(Debug)]
pub(super) enum Undo {
    Remove { name: String },
    Write { name: String, text: Vec<u8>, attributes: Attributes },
}

/// What is planned for.
#[derive(Debug)]
pub(super) struct Planner<'a> {
    pub(super) directory: &'a Path,
    pub(super) layout: &'a Layout,
    pub(super) entry: &'a Entry,
    pub(super) replace_istio: bool,
    /// Of files that are ours alone.
    pub(super) mode: u32,
}

/// A valid list, and the file that it was read from.
struct Source<'a> {
    name: &'a str,
    attributes: Attributes,
    network: Network,
}

impl Planner<'_> {
    /// What the directory should look like. The candidates have to be in the order of their names.
    pub(super) fn plan(&self, candidates: &[Candidate]) -> Result<Plan, InstallError> {
        match self.layout {
            Layout::Standalone { name } => self.standalone(name, candidates).map(Plan::Put),
            Layout::Chained { file } => match self.source(file.as_deref(), None, candidates)? {
                Err(why) => Ok(Plan::NoList { why }),
                Ok(source) => self.chained(&source, candidates).map(Plan::Put),
            },
            Layout::OwnList { name, file } => match self.source(file.as_deref(), Some(name), candidates)? {
                Err(why) => Ok(Plan::NoList { why }),
                Ok(source) => self.own_list(name, &source, candidates).map(Plan::Put),
            },
        }
    }

    /// What has to be done so that no file has the entry. Files that no runtime can read are left alone.
    pub(super) fn undo(&self, candidates: &[Candidate]) -> Result<Vec<Undo>, InstallError> {
        let mut undo = Vec::new();
        for Candidate { name, found } in candidates {
            let Ok(found) = found else { continue };
            let Some(network) = read(name, &found.text).ok().filter(|network| network.has(PLUGIN)) else {
                continue;
            };
            let rest = network.without(&[PLUGIN]);
            let is_ours = matches!(self.layout, Layout::OwnList { name: own, .. } if own == name);
            undo.push(if is_ours || rest.is_empty() {
                Undo::Remove { name: name.clone() }
            } else {
                Undo::Write { name: name.clone(), text: rest.text()?, attributes: found.attributes }
            });
        }
        Ok(undo)
    }

    fn chained(&self, source: &Source<'_>, candidates: &[Candidate]) -> Result<Put, InstallError> {
        let Source { name, attributes, network } = source;
        let wanted = network.with(self.entry()?);
        let Some(stem) = name.strip_suffix(".conf") else {
            let text = if wanted.says_the_same_as(network)? { None } else { Some(wanted.text()?) };
            return Ok(Put { name: (*name).to_owned(), text, attributes: *attributes, outdated: None });
        };
        let list = format!("{stem}.conflist");
        let text = match self.existing(&list, candidates)? {
            None => Some(wanted.text()?),
            Some(found) => match read(&list, &found.text) {
                // An earlier run was killed before it removed the other file, or the other file has come back.
                Ok(known) if known.has(PLUGIN) => {
                    if wanted.says_the_same_as(&known)? {
                        None
                    } else {
                        Some(wanted.text()?)
                    }
                }
                Ok(_) | Err(_) => return Err(InstallError::Occupied { path: self.path(&list) }),
            },
        };
        Ok(Put { name: list, text, attributes: *attributes, outdated: Some((*name).to_owned()) })
    }

    fn own_list(&self, own: &str, source: &Source<'_>, candidates: &[Candidate]) -> Result<Put, InstallError> {
        let wanted = source.network.with(self.entry()?);
        if own >= source.name {
            return Err(InstallError::Shadowed { path: self.path(own), by: self.path(source.name) });
        }
        let text = match self.existing(own, candidates)? {
            None => Some(wanted.text()?),
            Some(found) => match read(own, &found.text) {
                Ok(known) if known.has(PLUGIN) => {
                    if wanted.says_the_same_as(&known)? {
                        None
                    } else {
                        Some(wanted.text()?)
                    }
                }
                Ok(known) if known.has(ISTIO) => {
                    self.refuse_istio(own, &known)?;
                    Some(wanted.text()?)
                }
                Ok(_) | Err(_) => return Err(InstallError::Occupied { path: self.path(own) }),
            },
        };
        Ok(Put { name: own.to_owned(), text, attributes: self.own_attributes(), outdated: None })
    }

    fn standalone(&self, name: &str, candidates: &[Candidate]) -> Result<Put, InstallError> {
        let alone = self.entry.alone(VERSION)?;
        let wanted = if is_single(name) {
            let mut text = alone.get().as_bytes().to_vec();
            text.push(b'\n');
            text
        } else {
            Network::single(alone.get().as_bytes())
                .map_err(|reason| InstallError::Entry { reason })?
                .text()?
        };
        let text = match self.existing(name, candidates)? {
            None => Some(wanted),
            Some(found) if is_same_json(&found.text, &wanted) => None,
            Some(found) if read(name, &found.text).is_ok_and(|known| known.without(&[PLUGIN]).is_empty()) => {
                Some(wanted)
            }
            Some(_) => return Err(InstallError::Occupied { path: self.path(name) }),
        };
        Ok(Put { name: name.to_owned(), text, attributes: self.own_attributes(), outdated: None })
    }

    /// The list that the runtime reads, or what is wrong with each file.
    fn source<'c>(
        &self,
        file: Option<&str>,
        except: Option<&str>,
        candidates: &'c [Candidate],
    ) -> Result<Result<Source<'c>, Vec<String>>, InstallError> {
        let named = |name: &str| candidates.iter().find(|candidate| candidate.name == name);
        let choice: Vec<&Candidate> = match file {
            Some(name) => named(name).or_else(|| named(&sibling(name))).into_iter().collect(),
            None => candidates
                .iter()
                .filter(|candidate| Some(candidate.name.as_str()) != except)
                .collect(),
        };
        let mut why = Vec::new();
        for candidate in choice {
            let Candidate { name, .. } = candidate;
            let found = self.readable(candidate)?;
            match read(name, &found.text) {
                Ok(network) if network.without(&[PLUGIN, ISTIO]).is_empty() => {
                    why.push(format!("{name}: it makes no network"));
                }
                Ok(network) => {
                    self.refuse_istio(name, &network)?;
                    return Ok(Ok(Source { name, attributes: found.attributes, network }));
                }
                Err(reason) => why.push(format!("{name}: {reason}")),
            }
        }
        Ok(Err(why))
    }

    fn existing<'c>(&self, name: &str, candidates: &'c [Candidate]) -> Result<Option<&'c Found>, InstallError> {
        let candidate = candidates.iter().find(|candidate| candidate.name == name);
        candidate.map(|candidate| self.readable(candidate)).transpose()
    }

    fn readable<'c>(&self, candidate: &'c Candidate) -> Result<&'c Found, InstallError> {
        let Candidate { name, found } = candidate;
        found
            .as_ref()
            .map_err(|what| InstallError::NotAFile { path: self.path(name), what, limit: MAX_TEXT })
    }

    fn refuse_istio(&self, name: &str, network: &Network) -> Result<(), InstallError> {
        if network.has(ISTIO) && !self.replace_istio {
            return Err(InstallError::IstioCni { path: self.path(name) });
        }
        Ok(())
    }

    fn entry(&self) -> Result<Box<RawValue>, InstallError> {
        self.entry.in_a_list()
    }

    const fn own_attributes(&self) -> Attributes {
        Attributes { mode: self.mode, owner: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// Whether a runtime takes a file of this name for a configuration.
pub(super) fn is_configuration(name: &str) -> bool {
    is_single(name) || ending(name) == Some("conflist")
}

/// Whether a file of this name has a single plugin.
fn is_single(name: &str) -> bool {
    ending(name) == Some("conf")
}

fn ending(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_stem, ending)| ending)
}

/// The name under which the same configuration may be, as a list or as a single plugin.
fn sibling(name: &str) -> String {
    match name.strip_suffix("list") {
        Some(single) if is_single(single) => single.to_owned(),
        Some(_) | None => format!("{name}list"),
    }
}

/// Reads what a file says, by its name. The error says why no runtime would take it.
fn read(name: &str, text: &[u8]) -> Result<Network, String> {
    if is_single(name) { Network::single(text) } else { Network::list(text) }
}
