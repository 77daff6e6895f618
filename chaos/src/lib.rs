//! Faults: many replicas in one thread, under a clock that runs as fast as it can, with everything
//! that can go wrong drawn from one seed.
//!
//! The simulator runs the real replica and the real node's order of effects, durability barriers,
//! vote record, recovery and ordering; around them it puts a world of its own: [`sim`] the queue
//! of events, the links, the disks and the users, [`byzantine`] the members that lie,
//! [`invariants`] what must hold all the same. [`runner`] runs many seeds, [`report`] says what
//! came of them. A seed and a commit are a complete bug report; [`shrink`] makes a seed that failed
//! into a small [`scenario`]. [`twins`] plays every way to part a small network.

pub mod byzantine;
pub mod counters;
pub mod coverage;
pub mod invariants;
pub mod model;
#[cfg(feature = "museum")]
pub mod museum;
pub mod probes;
pub mod report;
pub mod rng;
pub mod runner;
pub mod scenario;
pub mod shrink;
pub mod sim;
pub mod twins;
