//! Histories: what this node signed, committed, ordered and answered, for a judge that shares no
//! code with it.
//!
//! `--record DIR` appends to `DIR/<name>.jsonl`, one JSON object a line, by rising time of
//! writing. Every object has `t`, milliseconds since the Unix epoch, and `kind`; ids, digests and
//! bytes are `0x` and hexadecimal, "canonical" is the encoding of the wire.
//!
//! - `start`: the node started. `version` (1), `program`, `chain`, `name`, `validator` (index or
//!   null).
//! - `statement`: it signed a message, and is about to hand it to the network. `bytes`: the
//!   canonical message. What is sent again is recorded again.
//! - `batch`: it signed the next batch of its lane. `bytes`: the canonical signed header; the
//!   transactions are left out.
//! - `commit`: a block is final here. `height`, `hash`, `certificate` (canonical).
//! - `ordered`: what that block came to. `height`, `root`, `rollups`: a list of `rollup`,
//!   `sequence` and `ids`, the ids delivered, in order, possibly none.
//! - `answered`: users are about to be told that their transactions reached a level. `level`,
//!   `transactions`: a list of `rollup` and `id`.
//! - `lost`: so many `entries` could not be written in time before this one.
//! - `stop`: the node stopped in an orderly way.
//!
//! After a crash the last line may be cut. Lines are in the operating system's hands as soon as
//! nothing more waits, so a killed process loses next to nothing; nothing is synced.
//!
//! # Invariants
//! Whoever records never waits: at most [`ENTRIES_MAX`] entries wait for the disk, and what comes
//! beyond is counted and told as `lost`.

use crate::host::Clock;
use chorale_consensus::ordering::OrderedBlock;
use chorale_types::block::CommittedBlock;
use chorale_types::codec::Encode;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{RollupId, ValidatorIndex};
use chorale_types::level::Level;
use chorale_types::message::SignedHeader;
use chorale_types::transaction::TransactionId;
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Entries that may wait for the disk.
pub const ENTRIES_MAX: usize = 65_536;

/// One thing to record.
enum Entry {
    Start(Start),
    Statement(Vec<u8>),
    Batch(SignedHeader),
    Commit(CommittedBlock),
    Ordered(Arc<OrderedBlock>),
    Answered(Level, Vec<(RollupId, TransactionId)>),
    Stop,
}

/// Whose history it is.
#[derive(Clone, Debug)]
pub struct Start {
    /// The program's version and commit.
    pub program: String,
    /// The chain.
    pub chain: Digest,
    /// The node's name: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Its place in the set.
    pub validator: Option<ValidatorIndex>,
}

/// Records. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    clock: Clock,
    entries: SyncSender<(u64, Entry)>,
    lost: Arc<AtomicU64>,
}

impl Recorder {
    /// Opens the history of a node and starts the thread that writes it. The thread ends after
    /// [`Self::stop`], or when every handle is dropped.
    ///
    /// # Errors
    /// When the folder or the file cannot be made.
    pub fn start(
        folder: &Path,
        start: Start,
        clock: Clock,
    ) -> io::Result<(Self, JoinHandle<io::Result<()>>)> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.jsonl", start.name));
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let (entries, waiting) = sync_channel(ENTRIES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let recorder = Self { clock, entries, lost: Arc::clone(&lost) };
        let thread = std::thread::Builder::new().name("recorder".into());
        let thread = thread.spawn(move || {
            write(file, &waiting, &lost).inspect_err(|error| {
                tracing::error!(%error, "the history cannot be written: what follows is not in it");
            })
        })?;
        recorder.put(Entry::Start(start));
        Ok((recorder, thread))
    }

    fn put(&self, entry: Entry) {
        let time = self.clock.now().wall.as_millis();
        if self.entries.try_send((time, entry)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A message that this node signed.
    pub fn statement(&self, bytes: &[u8]) {
        self.put(Entry::Statement(bytes.to_vec()));
    }

    /// A batch that this node signed.
    pub fn batch(&self, header: SignedHeader) {
        self.put(Entry::Batch(header));
    }

    /// A final block.
    pub fn commit(&self, block: &CommittedBlock) {
        self.put(Entry::Commit(block.clone()));
    }

    /// What a block came to.
    pub fn ordered(&self, block: &Arc<OrderedBlock>) {
        self.put(Entry::Ordered(Arc::clone(block)));
    }

    /// Users are told that their transactions reached a level.
    pub fn answered(&self, level: Level, transactions: Vec<(RollupId, TransactionId)>) {
        if !transactions.is_empty() {
            self.put(Entry::Answered(level, transactions));
        }
    }

    /// The node stops.
    pub fn stop(&self) {
        self.put(Entry::Stop);
    }
}

fn write(file: File, entries: &Receiver<(u64, Entry)>, lost: &AtomicU64) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, file);
    while let Ok(first) = entries.recv() {
        for (time, entry) in std::iter::once(first).chain(entries.try_iter()) {
            let missed = lost.swap(0, Ordering::Relaxed);
            if missed > 0 {
                line(&mut out, time, "lost", json!({ "entries": missed }))?;
            }
            let stop = matches!(entry, Entry::Stop);
            let (kind, fields) = render(&entry);
            line(&mut out, time, kind, fields)?;
            if stop {
                return out.flush();
            }
        }
        out.flush()?;
    }
    out.flush()
}

fn line(out: &mut impl io::Write, time: u64, kind: &str, mut fields: Value) -> io::Result<()> {
    fields["t"] = time.into();
    fields["kind"] = kind.into();
    serde_json::to_writer(&mut *out, &fields)?;
    out.write_all(b"\n")
}

fn render(entry: &Entry) -> (&'static str, Value) {
    match entry {
        Entry::Start(start) => {
            let Start { program, chain, name, validator } = start;
            let fields = json!({
                "version": 1, "program": program, "chain": chain, "name": name,
                "validator": validator,
            });
            ("start", fields)
        }
        Entry::Statement(bytes) => ("statement", json!({ "bytes": text(bytes) })),
        Entry::Batch(header) => ("batch", json!({ "bytes": text(&header.to_bytes()) })),
        Entry::Commit(CommittedBlock { block, hash, cert }) => {
            let (height, certificate) = (block.header.height, text(&cert.to_bytes()));
            ("commit", json!({ "height": height, "hash": hash, "certificate": certificate }))
        }
        Entry::Ordered(block) => {
            let rollups = block.record.contents.iter().map(|content| {
                let (rollup, sequence) = (content.rollup, content.sequence);
                json!({ "rollup": rollup, "sequence": sequence, "ids": content.delivered })
            });
            let rollups: Vec<Value> = rollups.collect();
            let (height, root) = (block.height, block.root);
            ("ordered", json!({ "height": height, "root": root, "rollups": rollups }))
        }
        Entry::Answered(level, transactions) => {
            let named = transactions.iter();
            let named: Vec<Value> =
                named.map(|(rollup, id)| json!({ "rollup": rollup, "id": id })).collect();
            ("answered", json!({ "level": level, "transactions": named }))
        }
        Entry::Stop => ("stop", json!({})),
    }
}

fn text(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

#[cfg(test)]
mod tests;
