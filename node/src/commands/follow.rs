//! `chorale follow`: a rollup's stream, every block verified here.

use super::setup;
use anyhow::{Context as _, Result};
use chorale_client::api::Hex;
use chorale_client::{Chain, Client, Follow, RollupBlock, RollupStream, StreamEvent};
use chorale_types::genesis::Genesis;
use chorale_types::ids::{RollupId, Sequence};
use clap::Args;
use serde_json::{Value, json};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Follows a rollup's stream until interrupted. Every block is checked against the chain's
/// genesis: that it is final, in order, complete and delivered once.
#[derive(Args, Debug)]
pub(crate) struct FollowArgs {
    /// A node's address, such as http://127.0.0.1:8080; more than one are used in turn.
    #[arg(long, value_name = "URL", required = true)]
    url: Vec<String>,
    /// The rollup's id.
    #[arg(long, value_name = "ID")]
    rollup: u64,
    /// The first block to print, from 1; by default the next one that is made.
    #[arg(long, value_name = "SEQUENCE", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,
    /// The chain's genesis; without it the node's own is trusted, and said so.
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Print one JSON document a line.
    #[arg(long)]
    json: bool,
}

impl FollowArgs {
    /// Follows and prints until interrupted, or until nobody reads the output.
    ///
    /// # Errors
    /// When there is no usable genesis, or it does not register the rollup.
    pub(crate) async fn run(self) -> Result<()> {
        let client = Client::new(&self.url).map_err(setup)?;
        let genesis = match &self.genesis {
            Some(path) => read_genesis(path).map_err(setup)?,
            None => client.genesis().await?,
        };
        if self.genesis.is_none() {
            let chain = genesis.chain_id();
            eprintln!("no --genesis given: trusting the node that the chain is {chain}");
        }
        let chain = Chain::new(genesis).map_err(setup)?;
        let rollup = RollupId::new(self.rollup);
        anyhow::ensure!(
            chain.genesis().rollups.iter().any(|known| known.id == rollup),
            "genesis does not register rollup {rollup}"
        );
        let follow = Follow { rollup, from: self.from.map(Sequence::new) };
        let stream = RollupStream::new(client, Arc::clone(&chain), follow);
        let printer = Printer { json: self.json, out: std::io::stdout().lock() };
        watch(stream, printer).await
    }
}

fn read_genesis(path: &Path) -> Result<Genesis> {
    let text = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no genesis", path.display()))
}

async fn watch(mut stream: RollupStream, mut printer: Printer<impl Write>) -> Result<()> {
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let event = tokio::select! {
            _ = interrupt.as_mut() => {
                if let Some(cursor) = stream.cursor() {
                    eprintln!("go on with --from {}", cursor.next());
                }
                return Ok(());
            }
            event = stream.next() => event,
        };
        match printer.print(&event) {
            // Whoever read our output is done.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            printed => printed?,
        }
    }
}

struct Printer<W> {
    json: bool,
    out: W,
}

impl<W: Write> Printer<W> {
    /// One line for each event; what is no block and no proof goes to standard error, except in
    /// JSON, where a program may want to know.
    fn print(&mut self, event: &StreamEvent) -> std::io::Result<()> {
        match event {
            _ if self.json => writeln!(self.out, "{}", to_json(event))?,
            StreamEvent::Block(block) => writeln!(self.out, "{}", describe(block))?,
            StreamEvent::Complete { height } => {
                writeln!(self.out, "nothing more up to height {height}")?;
            }
            StreamEvent::Lagging { from } => {
                eprintln!("slow reader: goes on from storage at block {from}");
            }
            StreamEvent::Trouble(trouble) => eprintln!("{}", trouble.error),
        }
        self.out.flush()
    }
}

fn describe(block: &RollupBlock) -> String {
    let RollupBlock { sequence, height, time, transactions, .. } = block;
    let bytes: usize = transactions.iter().map(Vec::len).sum();
    let (count, time) = (transactions.len(), time.as_millis());
    format!("block {sequence} height {height} time {time} transactions {count} bytes {bytes}")
}

fn to_json(event: &StreamEvent) -> Value {
    match event {
        StreamEvent::Block(block) => {
            let payloads: Vec<Hex> = block.transactions.iter().cloned().map(Hex).collect();
            json!({
                "type": "block", "rollup": block.rollup, "sequence": block.sequence,
                "height": block.height, "time": block.time, "ids": block.ids,
                "transactions": payloads,
            })
        }
        StreamEvent::Complete { height } => json!({"type": "complete", "height": height}),
        StreamEvent::Lagging { from } => json!({"type": "lagging", "from_sequence": from}),
        StreamEvent::Trouble(trouble) => json!({
            "type": "trouble", "endpoint": trouble.endpoint, "error": trouble.error.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chorale_client::api::Complete;
    use chorale_types::crypto::hash::Digest;
    use chorale_types::ids::Height;
    use chorale_types::time::Timestamp;

    fn printed(json: bool) -> String {
        let mut printer = Printer { json, out: Vec::new() };
        let block = RollupBlock {
            rollup: RollupId::new(7),
            sequence: Sequence::new(3),
            height: Height::new(12),
            time: Timestamp::from_millis(1_700),
            transactions: vec![vec![0, 255], vec![1]],
            ids: vec![Digest::ZERO; 2],
            complete: Complete::Now,
            proof: Vec::new(),
        };
        printer.print(&StreamEvent::Block(block)).unwrap();
        printer.print(&StreamEvent::Complete { height: Height::new(14) }).unwrap();
        String::from_utf8(printer.out).unwrap()
    }

    #[test]
    fn prints_a_line_for_each_event() {
        let expected = "block 3 height 12 time 1700 transactions 2 bytes 3\n\
                        nothing more up to height 14\n";
        assert_eq!(printed(false), expected);
    }

    #[test]
    fn prints_a_document_for_each_event() {
        let lines: Vec<Value> =
            printed(true).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let block = json!({
            "type": "block", "rollup": 7, "sequence": 3, "height": 12, "time": 1700,
            "ids": [Digest::ZERO, Digest::ZERO], "transactions": ["0x00ff", "0x01"],
        });
        assert_eq!(lines, [block, json!({"type": "complete", "height": 14})]);
    }
}
