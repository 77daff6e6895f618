//! Histories: what the load client and the followers did and saw, one JSON object a line, enough
//! for a program that knows nothing else to recompute every promise. The format is in
//! `testnet/README.md`.
//!
//! # Invariants
//! Lines are appended whole and in order; they are on their way to the system at most
//! `FLUSH_EVERY` after they were written, and all of them when the history is dropped.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest that a line waits in this program.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

struct Out {
    file: BufWriter<File>,
    flushed: Instant,
    failed: bool,
}

/// One history file, or nothing when none is wanted.
pub struct History {
    out: Option<Mutex<Out>>,
}

impl History {
    /// Opens `name` in `folder` to append; without a folder, a history that keeps nothing.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(folder: Option<&Path>, name: &str) -> Result<Self> {
        let Some(folder) = folder else { return Ok(Self { out: None }) };
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let path = folder.join(name);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.with_context(|| format!("open {}", path.display()))?;
        let file = BufWriter::with_capacity(256 * 1024, file);
        let out = Out { file, flushed: Instant::now(), failed: false };
        Ok(Self { out: Some(Mutex::new(out)) })
    }

    /// Whether anything is kept; callers skip making lines when not.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.out.is_some()
    }

    /// Appends lines.
    pub fn write(&self, lines: impl IntoIterator<Item = Value>) {
        let Some(out) = &self.out else { return };
        let mut out = lock(out);
        for line in lines {
            // A value without maps of other keys than strings always encodes; writing may fail.
            let written = serde_json::to_writer(&mut out.file, &line).map_err(Into::into);
            let written = written.and_then(|()| out.file.write_all(b"\n"));
            out.failed |= written.is_err();
        }
        if out.flushed.elapsed() >= FLUSH_EVERY {
            out.failed |= out.file.flush().is_err();
            out.flushed = Instant::now();
        }
    }

    /// Writes out what is held; says whether the whole history was written.
    #[must_use]
    pub fn finish(&self) -> bool {
        let Some(out) = &self.out else { return true };
        let mut out = lock(out);
        out.failed |= out.file.flush().is_err();
        !out.failed
    }
}

fn lock(out: &Mutex<Out>) -> MutexGuard<'_, Out> {
    out.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The line for a transaction that is about to be sent.
#[must_use]
pub fn invoke(at: u64, id: &str, rollup: u64, node: &str, request: u64, index: usize) -> Value {
    json!({"type": "invoke", "t": at, "id": id, "rollup": rollup, "node": node,
           "request": request, "index": index})
}

/// The line for a transaction that goes to another node, since an answer is missing.
#[must_use]
pub fn retry(at: u64, id: &str, node: &str) -> Value {
    json!({"type": "retry", "t": at, "id": id, "node": node})
}

/// The line for an answer with a level.
#[must_use]
pub fn ok(at: u64, id: &str, node: &str, level: &str) -> Value {
    json!({"type": "ok", "t": at, "id": id, "node": node, "level": level})
}

/// The line for a refusal.
#[must_use]
pub fn fail(at: u64, id: &str, code: &str) -> Value {
    json!({"type": "fail", "t": at, "id": id, "code": code})
}

/// The line for a transaction of which nobody said what became of it.
#[must_use]
pub fn unknown(at: u64, id: &str, why: &str) -> Value {
    json!({"type": "unknown", "t": at, "id": id, "why": why})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_across_openings() {
        let folder = tempfile::tempdir().unwrap();
        for id in ["0x01", "0x02"] {
            let history = History::open(Some(folder.path()), "client.jsonl").unwrap();
            history.write([fail(7, id, "queue_full")]);
            assert!(history.finish());
        }
        let text = fs::read_to_string(folder.path().join("client.jsonl")).unwrap();
        let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[1]["id"], &lines[1]["t"]), (&json!("0x02"), &json!(7)));
    }

    #[test]
    fn without_a_folder_nothing_is_kept() {
        let history = History::open(None, "client.jsonl").unwrap();
        assert!(!history.is_kept());
        history.write([unknown(1, "0x01", "no answer")]);
        assert!(history.finish());
    }
}
