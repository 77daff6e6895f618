//! Follows a rollup and verifies every block, at one or more nodes.
//!
//! `cargo run --release -p chorale-client --example follow -- GENESIS ROLLUP URL [FROM]`

use chorale_client::{Chain, Client, Follow, RollupStream, StreamEvent};
use chorale_types::genesis::Genesis;
use chorale_types::ids::{RollupId, Sequence};
use std::error::Error;
use std::io::Write as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: follow GENESIS ROLLUP URL[,URL..] [FROM]";
    let genesis: Genesis = serde_json::from_slice(&std::fs::read(arguments.next().ok_or(usage)?)?)?;
    let rollup = RollupId::new(arguments.next().ok_or(usage)?.parse()?);
    let client = Client::new(arguments.next().ok_or(usage)?.split(','))?;
    let from = arguments.next().map(|text| text.parse().map(Sequence::new)).transpose()?;

    // The genesis is the one thing that is trusted.
    let chain = Chain::new(genesis)?;
    let mut stream = RollupStream::new(client, chain, Follow { rollup, from });
    let mut out = std::io::stdout();
    loop {
        match stream.next().await {
            StreamEvent::Block(block) => {
                let (sequence, height) = (block.sequence, block.height);
                writeln!(out, "block {sequence} at height {height}")?;
                for (id, payload) in block.ids.iter().zip(&block.transactions) {
                    writeln!(out, "  {id} {} bytes", payload.len())?;
                }
                // Keep `sequence` with what you do with the block, and go on from it next time.
            }
            StreamEvent::Complete { height } => {
                writeln!(out, "nothing missed up to height {height}")?;
            }
            StreamEvent::Lagging { from } => writeln!(out, "reading too slowly, at block {from}")?,
            StreamEvent::Trouble(trouble) => eprintln!("{}", trouble.error),
        }
    }
}
