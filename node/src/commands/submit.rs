//! `chorale submit`: one transaction to a rollup.

use super::setup;
use anyhow::{Context as _, Result, bail};
use chorale_client::api::Place;
use chorale_client::{Client, Outcome, SubmitOptions};
use chorale_types::ids::RollupId;
use chorale_types::level::Level;
use chorale_types::limits::TRANSACTION_BYTES_MAX;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// Submits one transaction and waits until it is as sure as asked for.
///
/// Sending the same bytes again is safe: they are the same transaction.
#[derive(Args, Debug)]
pub(crate) struct SubmitArgs {
    /// A node's address, such as http://127.0.0.1:8080; more than one are tried in turn.
    #[arg(long, value_name = "URL", required = true)]
    url: Vec<String>,
    /// The rollup's id.
    #[arg(long, value_name = "ID")]
    rollup: u64,
    /// How sure it must be.
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = Wait::Available)]
    wait: Wait,
    /// How long to try, in seconds, at most a day.
    #[arg(long, value_name = "SECONDS", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(..=86_400))]
    patience: u64,
    /// The transaction as 0x-hex; otherwise it is read from the file or standard input.
    #[arg(long, value_name = "HEX", conflicts_with = "file")]
    hex: Option<String>,
    /// The file that holds the transaction's bytes.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The levels that can be waited for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Wait {
    /// The node queued it; no promise.
    Accepted,
    /// A quorum of stake stores it: it will be ordered.
    Available,
    /// Its place never changes.
    Final,
}

impl From<Wait> for Level {
    fn from(wait: Wait) -> Self {
        match wait {
            Wait::Accepted => Self::Accepted,
            Wait::Available => Self::Available,
            Wait::Final => Self::Final,
        }
    }
}

impl SubmitArgs {
    /// Submits and prints what became of it.
    ///
    /// # Errors
    /// When it is refused, or not as sure as asked for in time.
    pub(crate) async fn run(self) -> Result<()> {
        let payload = self.payload().map_err(setup)?;
        let wait = Level::from(self.wait);
        let options = SubmitOptions { wait, patience: Duration::from_secs(self.patience) };
        let client = Client::new(&self.url).map_err(setup)?;
        let outcome = client.submit(RollupId::new(self.rollup), &payload, options).await;
        if self.json {
            println!("{}", to_json(&outcome));
        }
        match &outcome {
            Outcome::Submitted { id, level, already_known, place } => {
                if !self.json {
                    println!("{}", describe(&id.to_string(), *level, *already_known, *place));
                }
                if *level < wait {
                    bail!("it is {level}, not {wait} in time; sending it again is safe");
                }
                Ok(())
            }
            Outcome::Refused { code, detail, .. } => bail!("refused: {detail} ({code})"),
            Outcome::Unknown { id, why } => {
                bail!("nobody answered for {id}: {why}; sending it again is safe")
            }
        }
    }

    fn payload(&self) -> Result<Vec<u8>> {
        match (&self.hex, &self.file) {
            (Some(text), _) => from_hex(text),
            (None, Some(path)) => {
                let file = std::fs::File::open(path)
                    .with_context(|| format!("{} cannot be opened", path.display()))?;
                read_bounded(file)
            }
            (None, None) => read_bounded(std::io::stdin().lock()),
        }
    }
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    let digits = text.strip_prefix("0x").context("--hex must start with 0x")?;
    hex::decode(digits).context("--hex is not hex")
}

/// Reads everything, but not more than a node takes.
fn read_bounded(input: impl Read) -> Result<Vec<u8>> {
    let mut payload = Vec::new();
    input.take(TRANSACTION_BYTES_MAX as u64 + 1).read_to_end(&mut payload)?;
    if payload.len() > TRANSACTION_BYTES_MAX {
        bail!("a transaction has at most {TRANSACTION_BYTES_MAX} bytes");
    }
    Ok(payload)
}

fn describe(id: &str, level: Level, already_known: bool, place: Option<Place>) -> String {
    let known = if already_known { ", known before" } else { "" };
    let place = place.map(|place| {
        let Place { sequence, height, index } = place;
        format!(", block {sequence} index {index} at height {height}")
    });
    format!("{id} {level}{known}{}", place.unwrap_or_default())
}

fn to_json(outcome: &Outcome) -> serde_json::Value {
    match outcome {
        Outcome::Submitted { id, level, already_known, place } => {
            let mut all = json!({"id": id, "level": level, "already_known": already_known});
            if let Some(Place { sequence, height, index }) = place {
                all["sequence"] = json!(sequence);
                all["height"] = json!(height);
                all["index"] = json!(index);
            }
            all
        }
        Outcome::Refused { id, code, detail } => {
            json!({"id": id, "error": {"code": code, "detail": detail}})
        }
        Outcome::Unknown { id, why } => {
            json!({"id": id, "error": {"code": "unknown", "detail": why}})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chorale_types::crypto::hash::Digest;
    use chorale_types::ids::{Height, Sequence};

    #[test]
    fn refuses_input_that_is_no_transaction() {
        assert_eq!(from_hex("0x00ff").unwrap(), [0, 255]);
        assert!(from_hex("00ff").is_err() && from_hex("0xf").is_err() && from_hex("0xzz").is_err());
        assert!(read_bounded(std::io::repeat(1)).is_err(), "endless input is not read to its end");
        assert_eq!(read_bounded([1, 2].as_slice()).unwrap(), [1, 2]);
    }

    #[test]
    fn says_where_it_stands() {
        let place = Place { sequence: Sequence::new(7), height: Height::new(12), index: 0 };
        assert_eq!(
            describe("0xaa", Level::Final, true, Some(place)),
            "0xaa final, known before, block 7 index 0 at height 12"
        );
        let id = Digest::ZERO;
        let done = Outcome::Submitted {
            id,
            level: Level::Final,
            already_known: false,
            place: Some(place),
        };
        let expected = json!({"id": id, "level": "final", "already_known": false,
                              "sequence": 7, "height": 12, "index": 0});
        assert_eq!(to_json(&done), expected);
    }
}
