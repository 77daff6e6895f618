//! The simulated world.

pub mod cluster;
pub mod crypto;
pub mod disk;
pub mod network;
pub mod plan;
pub mod queue;
pub mod trace;
pub mod verify;
