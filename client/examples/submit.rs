//! Submits one transaction and waits until it is final.
//!
//! `cargo run --release -p chorale-client --example submit -- http://127.0.0.1:8080 91001 hello`

use chorale_client::{Client, Outcome, SubmitOptions};
use chorale_types::ids::RollupId;
use chorale_types::level::Level;
use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: submit URL[,URL..] ROLLUP TEXT");
    let client = Client::new(next()?.split(','))?;
    let rollup = RollupId::new(next()?.parse()?);
    let payload = next()?.into_bytes();

    let options = SubmitOptions { wait: Level::Final, ..SubmitOptions::default() };
    match client.submit(rollup, &payload, options).await {
        Outcome::Submitted { id, level, place, .. } => {
            println!("{id} is {level}");
            if let Some(place) = place {
                println!("transaction {} of block {}", place.index, place.sequence);
            }
            Ok(())
        }
        Outcome::Refused { code, detail, .. } => Err(format!("refused: {detail} ({code})").into()),
        Outcome::Unknown { id, why } => {
            Err(format!("{id}: nobody answered in time ({why}); submitting again is safe").into())
        }
    }
}
