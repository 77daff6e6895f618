//! From final blocks to each rollup's stream: which transactions are delivered, in which order,
//! and the root that proves it.
//!
//! [`OrderState`] is a pure function of the chain up to a height. The host feeds it every final
//! block in height order with the batches it newly orders, stores the record that comes back, and
//! tells the replica the root. A transaction of a rollup that nobody registered is ordered with
//! its batch and delivered to nobody: intake refuses such transactions, a faulty lane owner can
//! still pack one, and ordering must not depend on what a batch holds.
//!
//! # Invariants
//! The state after a height is the same whether it was reached block by block or restored from
//! stored records at any point between; its root is the one that every honest node computes.

pub mod frames;
mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(test)]
mod tests;

pub use chorale_types::ordered::delivery_order;
pub use frames::{ChainReader, FrameError, build_checkpoint, build_frame, build_heartbeat};
pub use state::{Delivered, OrderState, OrderedBlock, OrderedRollup, RestoreError};
