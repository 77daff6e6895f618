//! The judge: decides from recorded histories, and from nothing else, whether a run kept its
//! promises.
//!
//! It shares no line and no dependency of ours with what it judges. It has its own decoder, written
//! from `docs/wire.md`; the other BLS library; its own arithmetic of stake; its own computation of
//! leaders and of the ordering state. Where it and the nodes read the document differently, it
//! raises a false alarm, and either one of them or the document is wrong.
//!
//! ```text
//! judge DIR [--genesis FILE] [--json]      exit code 0 pass, 1 fail, 2 invalid
//! ```
//!
//! Histories are those of section 12 of the document, whoever writes them: nodes, the load,
//! followers, and the log of what was broken on purpose. A run passes when every invariant that it
//! lets one decide holds; one that it does not is told as not judged, with the reason. A run in
//! which nothing was submitted, committed or read, or with a fault that had no proven effect, is
//! invalid: it proves nothing. A breach counts in such a run all the same.
//!
//! Histories are totally ordered logs, so no search is needed: every check is linear but for
//! sorting. What stays in memory is told in [`case`].
//!
//! | Where | What |
//! |---|---|
//! | [`wire`], [`crypto`], [`genesis`], [`leaders`], [`ordering`] | the document, once more |
//! | [`history`] | files, line by line |
//! | [`case`] | what all histories say together |
//! | [`invariants`] | what must hold, one file each |
//! | [`report`] | what is said about it |

pub mod case;
pub mod crypto;
pub mod genesis;
pub mod hex;
pub mod history;
pub mod invariants;
pub mod leaders;
pub mod ordering;
pub mod report;
pub mod wire;

use case::{Case, Word};
use genesis::{Chain, GenesisError};
use history::folder::Folder;
use invariants::Rules;
use report::{Report, Sizes};
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why nothing can be said at all.
#[derive(Debug, Error)]
pub enum JudgeError {
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is no genesis.
    #[error("no genesis.json in {path} or above it")]
    NoGenesis {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The genesis cannot be judged by.
    #[error("genesis: {0}")]
    Genesis(#[from] GenesisError),
}

/// Judges the run whose histories lie in `path`, by the genesis in `genesis`, or else by the one in
/// the folder or above it.
///
/// # Errors
/// When files cannot be read, or there is no valid genesis.
pub fn judge(path: &Path, genesis: Option<&Path>) -> Result<Report, JudgeError> {
    let folder = read(path, Folder::find(path))?;
    let genesis = genesis.map(Path::to_path_buf).or_else(|| folder.genesis.clone());
    let genesis = genesis.ok_or_else(|| JudgeError::NoGenesis { path: path.to_path_buf() })?;
    let chain = Chain::read(&read(&genesis, std::fs::read(&genesis))?)?;
    judge_chain(&chain, &folder)
}

/// Judges the histories of a chain whose genesis was read and checked before.
///
/// # Errors
/// When files cannot be read.
pub fn judge_chain(chain: &Chain, folder: &Folder) -> Result<Report, JudgeError> {
    let (mut case, mut rules) = (Case::new(chain), Rules::default());
    if let Some((file, name)) = &folder.faults {
        read(file, history::faults::read(&mut case, file, name))?;
    }
    for (file, name) in &folder.nodes {
        read(file, history::node::read(&mut case, &mut rules, file, name))?;
    }
    for (file, name) in &folder.clients {
        read(file, history::client::read(&mut case, file, name))?;
    }
    for (file, name) in &folder.followers {
        read(file, history::follower::read(&mut case, &mut rules, file, name))?;
    }
    Ok(report(&mut case, rules, folder))
}

fn read<T>(path: &Path, result: io::Result<T>) -> Result<T, JudgeError> {
    result.map_err(|error| JudgeError::Unreadable { path: path.to_path_buf(), error })
}

fn report(case: &mut Case<'_>, rules: Rules, folder: &Folder) -> Report {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let spots = case.spots();
    let sizes = Sizes {
        nodes: count(folder.nodes.len()),
        statements: rules.signing.statements,
        heights: count(case.finals.len()),
        certificates: rules.certificates.verified(),
        submitted: count(case.load.len()),
        promised: count(case.load.values().filter(|sent| sent.promise.is_some()).count()),
        followers: count(folder.followers.len()),
        frames: count(case.frames.values().map(|frames| frames.len()).sum()),
        foreign: count(spots.filter(|(id, ..)| !case.load.contains_key(id)).count()),
        faults: count(case.faults.all.len()),
    };
    for (what, count) in [
        ("no node's history", sizes.nodes),
        ("nothing was final", sizes.heights),
        ("nothing was submitted", sizes.submitted),
        ("nothing was promised", sizes.promised),
        ("nothing was read", sizes.frames),
    ] {
        if count == 0 {
            case.invalid(what.to_owned());
        }
    }
    let unanswered = case.load.values().filter(|sent| sent.word == Word::None).count();
    if count(unanswered) == sizes.submitted && unanswered > 0 {
        case.invalid("nothing was answered".to_owned());
    }
    let invariants = rules.decide(case);
    Report::new(invariants, case.invalidities().to_vec(), sizes)
}
