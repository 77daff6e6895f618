//! What a testnet promises, against planted mistakes and against real nodes.
#![allow(clippy::unwrap_used, missing_docs)]

mod checker;
mod recount;
mod report;
mod signing;
mod smoke;
