//! What a node signed, committed, ordered and answered: `<name>.jsonl`.

use crate::case::{Case, Content, Ordered};
use crate::hex::HexBytes;
use crate::history::lines::{Line, Lines};
use crate::invariants::Rules;
use crate::invariants::signing::Signer;
use crate::report::Place;
use crate::wire::batch::SignedHeader;
use crate::wire::message::Message;
use crate::wire::{Id, Wire as _};
use serde::Deserialize;
use std::io;
use std::path::Path;

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Event {
    Start { version: u64, chain: Id, name: String, validator: Option<u16> },
    Statement { bytes: HexBytes },
    Batch { bytes: HexBytes },
    Commit { t: u64, height: u64, hash: Id, certificate: HexBytes },
    Ordered { height: u64, root: Id, rollups: Vec<ContentLine> },
    Answered { level: String, transactions: Vec<Named> },
    Lost { entries: u64 },
    Stop {},
}

#[derive(Deserialize)]
struct ContentLine {
    rollup: u64,
    sequence: u64,
    ids: Vec<Id>,
}

#[derive(Deserialize)]
struct Named {
    rollup: u64,
    id: Id,
}

/// The history of one node while it is read.
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether it may be held to anything.
    pub honest: bool,
    /// The last height it told to be final.
    pub committed: Option<u64>,
    /// The last height it told to be ordered.
    pub ordered: Option<u64>,
    /// Whether something before the next line may be missing: the process was killed, or its
    /// recorder was too slow.
    pub gap: (bool, bool),
    stopped: bool,
    signer: Signer,
}

/// Reads one node's history.
///
/// # Errors
/// When the file cannot be read.
pub fn read(case: &mut Case<'_>, rules: &mut Rules, path: &Path, name: &str) -> io::Result<()> {
    let mut lines = Lines::open(path, name)?;
    let mut node = None;
    while let Some((place, line)) = lines.next_line()? {
        let (event, cut) = match line {
            Line::Is(event) => (event, false),
            Line::AfterCut(event) => (event, true),
            Line::Unreadable(why) => {
                case.invalid(format!("{place}: {why}"));
                continue;
            }
        };
        match (event, &mut node) {
            (Event::Start { version, chain, name, validator }, node) => {
                if version != 1 || chain != case.chain.id {
                    case.invalid(format!("{place}: of another version or chain"));
                    return Ok(());
                }
                start(case, node, name, validator);
            }
            (_, None) => case.invalid(format!("{place}: an event before any start")),
            (_, Some(_)) if cut => case.invalid(format!("{place}: a line that was cut")),
            (event, Some(node)) => on_event(case, rules, node, &place, event),
        }
    }
    if let Some(node) = node {
        rules.recovery.on_history(&node.name, lines.place());
    }
    Ok(())
}

fn start(case: &Case<'_>, node: &mut Option<Node>, name: String, validator: Option<u16>) {
    let honest = !case.faults.excused().contains(name.as_str());
    match node {
        None => {
            let signer = Signer::new(validator);
            let (committed, ordered) = (None, None);
            let gap = (true, true);
            *node = Some(Node { name, honest, committed, ordered, gap, stopped: false, signer });
        }
        Some(node) => {
            // Heights that were final and not yet ordered are told again.
            node.gap = (true, true);
            if !node.stopped {
                node.signer.may_have_missed();
            }
            node.stopped = false;
        }
    }
}

fn on_event(case: &mut Case<'_>, rules: &mut Rules, node: &mut Node, place: &Place, event: Event) {
    match event {
        Event::Statement { bytes } => on_statement(case, rules, node, place, &bytes.0),
        Event::Batch { bytes } if node.honest => match SignedHeader::read(&bytes.0) {
            Ok(batch) => rules.signing.on_own_batch(case, &mut node.signer, place, &batch),
            Err(why) => rules.signing.unreadable(place, &why),
        },
        Event::Commit { t, height, hash, certificate } if node.honest => {
            rules.agreement.on_commit(case, node, place, (height, hash));
            rules.certificates.on_commit(case, place, (height, hash), &certificate.0);
            rules.recovery.on_commit(&node.name, t, height);
        }
        Event::Ordered { height, root, rollups } if node.honest => {
            let contents = rollups
                .into_iter()
                .map(|ContentLine { rollup, sequence, ids }| Content { rollup, sequence, ids });
            let ordered = Ordered { place: place.clone(), root, contents: contents.collect() };
            rules.ordering.on_ordered(case, node, height, ordered);
        }
        Event::Answered { level, transactions } if node.honest && level == "final" => {
            let named = transactions.into_iter().map(|Named { rollup, id }| (rollup, id));
            rules.acknowledged.on_told_final(place, named);
        }
        Event::Lost { entries } => {
            case.invalid(format!("{place}: {entries} entries could not be written"));
            node.gap = (true, true);
            node.signer.may_have_missed();
        }
        Event::Stop {} => node.stopped = true,
        _ => {}
    }
}

fn on_statement(
    case: &mut Case<'_>,
    rules: &mut Rules,
    node: &mut Node,
    place: &Place,
    bytes: &[u8],
) {
    rules.signing.statements += 1;
    let message = match Message::read(bytes) {
        Ok(message) => message,
        Err(why) => {
            if node.honest {
                rules.signing.unreadable(place, &why);
            }
            return;
        }
    };
    if let Message::Proposal(proposal) = &message
        && let Some(block) = &proposal.block
    {
        case.add_block(&block.header, &block.body);
    }
    if node.honest {
        rules.certificates.on_message(case, place, &message);
        rules.signing.on_statement(case, &mut node.signer, place, &message);
    }
}
