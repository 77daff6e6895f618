//! The body: runs a replica for real, with disk, clock, network, rollup interface and metrics.

pub mod barrier;
pub mod execute;
pub mod feed;
pub mod storage;

#[cfg(test)]
mod testing;

#[cfg(feature = "net")]
pub mod api;
#[cfg(feature = "net")]
pub mod handles;
#[cfg(feature = "net")]
pub mod ledger;
#[cfg(feature = "net")]
pub mod metrics;
#[cfg(feature = "net")]
pub mod status;
#[cfg(feature = "net")]
pub mod submissions;
