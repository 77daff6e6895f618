//! Faults: many replicas in one thread under a clock that runs as fast as it can.

pub mod rng;
pub mod sim;
