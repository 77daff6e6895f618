//! What was read: `follower-*.jsonl`.

use crate::case::{Case, Read};
use crate::hex::HexBytes;
use crate::history::lines::{Line, Lines};
use crate::invariants::Rules;
use crate::report::Place;
use crate::wire::Id;
use serde::Deserialize;
use std::io;
use std::path::Path;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Event {
    Start { rollup: u64, from: u64 },
    Frame(FrameLine),
    Trouble { t: u64, node: String, why: String, untrue: bool },
    End { t: u64, next: Option<u64> },
}

/// One frame as a follower tells it.
#[derive(Deserialize)]
pub struct FrameLine {
    /// When it was verified.
    pub t: u64,
    /// The rollup.
    pub rollup: u64,
    /// Its place in the stream.
    pub sequence: u64,
    /// The height.
    pub height: u64,
    /// The time of the block.
    pub time: u64,
    /// What digest it has.
    pub digest: Id,
    /// The ids in it.
    pub ids: Vec<Id>,
    /// The frame itself with its proof, where the recorder kept it.
    pub bytes: Option<HexBytes>,
}

/// Reads one follower's history.
///
/// # Errors
/// When the file cannot be read.
pub fn read(case: &mut Case<'_>, rules: &mut Rules, path: &Path, name: &str) -> io::Result<()> {
    let mut lines = Lines::open(path, name)?;
    let mut reader = None;
    while let Some((place, line)) = lines.next_line()? {
        match line {
            Line::Is(Event::Start { rollup, from })
            | Line::AfterCut(Event::Start { rollup, from }) => {
                if !case.chain.rollups.contains(&rollup) {
                    case.invalid(format!("{place}: rollup {rollup} is not in the genesis"));
                }
                reader = Some(rules.streams.start(rollup, from));
            }
            Line::Is(Event::Frame(frame)) => {
                let Some(reader) = &mut reader else {
                    case.invalid(format!("{place}: a frame before any start"));
                    continue;
                };
                rules.streams.on_frame(reader, case, &place, &frame);
                take(case, rules, &place, frame);
            }
            Line::Is(Event::Trouble { t, node, why, untrue }) => {
                case.end = case.end.max(t);
                rules.served.on_trouble(case, &place, &node, untrue.then_some(&why));
            }
            Line::Is(Event::End { t, next }) => {
                case.end = case.end.max(t);
                if let (Some(reader), Some(next)) = (&reader, next) {
                    rules.streams.on_end(reader, &place, next);
                }
            }
            Line::AfterCut(_) => case.invalid(format!("{place}: a line that was cut")),
            Line::Unreadable(why) => case.invalid(format!("{place}: {why}")),
        }
    }
    rules.served.on_follower();
    Ok(())
}

fn take(case: &mut Case<'_>, rules: &mut Rules, place: &Place, frame: FrameLine) {
    rules.projection.on_frame(case, &mut rules.certificates, place, &frame);
    let FrameLine { t, rollup, sequence, height, time, digest, ids, .. } = frame;
    case.end = case.end.max(t);
    let read = Read { place: place.clone(), seen: t, height, time, digest, ids };
    let frames = case.frames.entry(rollup).or_default();
    frames.entry(sequence).and_modify(|first| first.seen = first.seen.min(t)).or_insert(read);
}
