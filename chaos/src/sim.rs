//! The simulated world.

pub mod cluster;
pub mod crypto;
pub mod disk;
mod event;
mod host;
pub mod network;
mod node;
pub mod plan;
pub mod queue;
pub mod schedule;
pub mod trace;
pub mod verify;
pub mod workload;
pub mod world;
