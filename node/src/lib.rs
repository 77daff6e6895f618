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
pub mod commands;
#[cfg(feature = "net")]
pub mod config;
#[cfg(feature = "net")]
pub mod faults;
#[cfg(feature = "net")]
pub mod feeder;
#[cfg(feature = "net")]
pub mod fetcher;
#[cfg(feature = "net")]
pub mod handles;
#[cfg(feature = "net")]
pub mod home;
#[cfg(feature = "net")]
pub mod host;
#[cfg(feature = "net")]
pub mod inbox;
#[cfg(feature = "net")]
pub mod intake;
#[cfg(feature = "net")]
pub mod keys;
#[cfg(feature = "net")]
pub mod ledger;
#[cfg(feature = "net")]
pub mod metrics;
#[cfg(feature = "net")]
pub mod node;
#[cfg(feature = "net")]
pub mod persist;
#[cfg(feature = "net")]
pub mod queue;
#[cfg(feature = "net")]
pub mod recorder;
#[cfg(feature = "net")]
pub mod runtime;
#[cfg(feature = "net")]
pub mod signer;
#[cfg(feature = "net")]
pub mod status;
#[cfg(feature = "net")]
pub mod stop;
#[cfg(feature = "net")]
pub mod submissions;
#[cfg(feature = "net")]
pub mod telemetry;
#[cfg(feature = "net")]
pub mod threads;
#[cfg(feature = "net")]
pub mod timers;
#[cfg(feature = "net")]
pub mod verify;
#[cfg(feature = "net")]
pub mod wire;
#[cfg(feature = "net")]
pub mod workers;
