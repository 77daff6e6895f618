//! The simulated world.

pub mod cluster;
pub mod crypto;
pub mod disk;
pub mod network;
pub mod queue;
pub mod verify;
