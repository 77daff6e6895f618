//! Twins: members that run twice with the same keys, so that honest code behaves as a liar does.
//! A scenario says who leads each round and who hears whom in it; after the last round everybody
//! hears everybody, and then the chain must grow. (Bano and others, "Twins", 2020.)
//!
//! Four members, one of them twice, over three rounds: every scenario is played, one for each
//! class of those that differ only by names. Larger ones are drawn.
//!
//! # Symmetry
//! Honest members are interchangeable and so are the two processes of a twin. Leaders are drawn
//! from the schedule, which gives each of four equal members one view in four: the honest are
//! numbered by the order in which they lead, and of a scenario and the one with the twins
//! exchanged only the lesser is played.

mod generate;
mod play;
mod report;

pub use generate::{Canonical, Leading, Round, Scenario, Size, partitions, sampled};
pub use play::{Outcome, Player};
pub use report::{Order, Report, run};
