//! The rollup's side of Chorale: submit transactions, follow a rollup's ordered stream, and check
//! every word of it. No node is trusted; no C is compiled.
//!
//! - [`Client`] speaks to one or more nodes: [`Client::submit`] with retry, queries.
//! - [`RollupStream`] follows a rollup through lost connections and lying nodes, gap-free.
//! - [`light`] is the check itself, without any network: bring your own transport.
//! - [`api`] is the JSON of the interface.

pub mod api;
mod backoff;
mod client;
mod error;
pub mod light;
pub mod sse;
mod stream;
mod submit;

pub use client::Client;
pub use error::ClientError;
pub use light::{Chain, LightClient, LightError, RollupBlock};
pub use stream::{Follow, RollupStream, StreamEvent, Trouble};
pub use submit::{Outcome, PATIENCE_MAX, SubmitOptions};
