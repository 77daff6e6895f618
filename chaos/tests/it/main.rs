//! The simulator's tests: fixed schedules, seeds that once failed, and the shape of the code.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod decoders;
mod digest;
mod model;
#[cfg(not(feature = "museum"))]
mod museum;
mod probes;
mod seeds;
mod tidy;
mod twins;
