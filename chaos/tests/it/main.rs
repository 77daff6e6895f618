//! The simulator's tests: fixed schedules, seeds that once failed, and the shape of the code.
#![allow(clippy::unwrap_used)]

mod digest;
mod schedules;
mod seeds;
mod tidy;
