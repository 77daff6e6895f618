//! Real networks on loopback, and peers that misbehave. One module per scenario. Waits are
//! bounded only against hanging; no test passes or fails by how fast the machine is.

#![allow(clippy::unwrap_used)]

mod common;
mod outsider;

mod dead_peer;
mod exchange;
mod fetching;
mod garbage;
mod gossip_fallback;
mod half_dead_stream;
mod malformed;
mod membership;
mod other_chain;
mod priority;
mod restart;
mod slow_application;
mod start_refusals;
mod stranger;
