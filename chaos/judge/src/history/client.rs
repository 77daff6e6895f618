//! What was submitted, and what came back: `client.jsonl`.

use crate::case::{Case, Sent, Word};
use crate::history::lines::{Line, Lines};
use crate::wire::Id;
use serde::Deserialize;
use std::io;
use std::path::Path;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Event {
    Invoke { t: u64, id: Id, rollup: u64, node: String, request: u64, index: u64 },
    Retry { id: Id, node: String },
    Ok { t: u64, id: Id, level: String },
    Fail { id: Id },
    Unknown { id: Id },
}

/// Reads one load's history.
///
/// # Errors
/// When the file cannot be read.
pub fn read(case: &mut Case<'_>, path: &Path, name: &str) -> io::Result<()> {
    let mut lines = Lines::open(path, name)?;
    while let Some((place, line)) = lines.next_line()? {
        let event = match line {
            Line::Is(event) | Line::AfterCut(event) => event,
            Line::Unreadable(why) => {
                case.invalid(format!("{place}: {why}"));
                continue;
            }
        };
        if let Event::Invoke { t, id, rollup, node, request, index } = event {
            let node = case.name(&node);
            let sent = Sent::new(place, t, rollup, node, (request, index));
            // Bytes sent again count from when they were sent first.
            case.load.entry(id).and_modify(|sent| sent.copied = true).or_insert(sent);
            continue;
        }
        let (Event::Retry { id, .. }
        | Event::Ok { id, .. }
        | Event::Fail { id, .. }
        | Event::Unknown { id, .. }) = &event
        else {
            continue;
        };
        let Some(sent) = case.load.get_mut(id) else {
            case.invalid(format!("{place}: an answer about {id}, which was never sent"));
            continue;
        };
        match event {
            Event::Retry { node, .. } => sent.copied |= *sent.node != *node,
            Event::Ok { t, level, .. } => match level.as_str() {
                "available" | "certified" | "final" => sent.promised(t, &place),
                "accepted" => sent.word = Word::Unknown,
                other => case.invalid(format!("{place}: a level {other}")),
            },
            Event::Fail { .. } => sent.word = Word::Refused,
            Event::Unknown { .. } => sent.word = Word::Unknown,
            Event::Invoke { .. } => {}
        }
    }
    Ok(())
}
