//! Faults: many replicas in one thread under a clock that runs as fast as it can.

pub mod byzantine;
pub mod counters;
pub mod invariants;
pub mod rng;
pub mod sim;
