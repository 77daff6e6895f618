//! The vote rules and the vote memory.

use crate::record::RecordId;
use chorale_types::block::{BlockError, FrontierError};
use thiserror::Error;

/// A statement that the safety rules allow, with the record that must be durable before it is
/// signed. Nothing outside this module can make one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cleared<T> {
    statement: T,
    record: RecordId,
}

impl<T> Cleared<T> {
    /// What may be signed.
    pub const fn statement(&self) -> &T {
        &self.statement
    }

    /// What may be signed, by value.
    pub fn into_statement(self) -> T {
        self.statement
    }

    /// What must be durable first.
    pub const fn record(&self) -> RecordId {
        self.record
    }
}

/// Why a proposal is not voted for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
pub enum Refused {
    /// The block is malformed.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The body does not stand on its parent's frontier.
    #[error(transparent)]
    Frontier(#[from] FrontierError),
}
