//! Whole nodes: in this process through the library, and as the real program.

// A panic is how a test fails, in its helpers too.
#![allow(clippy::unwrap_used)]

mod bad_requests;
mod bad_usage;
mod four;
mod genesis;
mod home;
mod process;
mod single;
mod support;
