//! The documents of a node's HTTP interface, version 1, as JSON.
//!
//! Ids, digests, keys and payloads are `0x` and hex; times are milliseconds since the Unix epoch.

mod bytes;
mod chain;
mod frames;
mod node;
mod submit;

pub use bytes::{Base64, Hex};
pub use chain::{Block, Header, Tip, Validator, Validators};
pub use frames::{BlocksPage, CheckpointPage, Complete, Frame, Heartbeat, Lagging};
pub use node::{Limits, Peer, Problem, Status};
pub use submit::{Place, Refusal, SubmitAnswer, SubmitRequest, SubmitResult, Taken, Transaction};
