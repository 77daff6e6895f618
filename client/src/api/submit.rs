//! Submitting, and what became of it.

use super::Hex;
use chorale_types::ids::{Height, Sequence};
use chorale_types::level::Level;
use chorale_types::transaction::TransactionId;
use serde::{Deserialize, Serialize};

/// The JSON body of a submit call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SubmitRequest {
    /// The transactions, in order.
    pub transactions: Vec<Hex>,
}

/// The answer to a submit call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SubmitAnswer {
    /// What became of each, in order.
    pub transactions: Vec<SubmitResult>,
}

/// What became of one transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SubmitResult {
    /// It was not taken.
    Refused {
        /// Its id.
        id: TransactionId,
        /// Why.
        error: Refusal,
    },
    /// It was taken, now or before.
    Taken(Taken),
}

/// Why a transaction was not taken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// For programs; stable.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// A transaction that was taken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Taken {
    /// Its id.
    pub id: TransactionId,
    /// The level reached.
    pub level: Level,
    /// Whether the node had it already.
    pub already_known: bool,
    /// Whether the level asked for was not reached in time.
    pub timed_out: bool,
    /// Where it is, once ordered.
    #[serde(flatten)]
    pub place: Option<Place>,
}

/// Where a transaction is in its rollup's stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The rollup's block.
    pub sequence: Sequence,
    /// The height it was ordered at.
    pub height: Height,
    /// Its place in the rollup's block, from zero.
    pub index: u32,
}

/// `GET …/transactions/{id}`: how far a transaction is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Transaction {
    /// Its id.
    pub id: TransactionId,
    /// The level reached.
    pub level: Level,
    /// Where it is, once ordered.
    #[serde(flatten)]
    pub place: Option<Place>,
}
