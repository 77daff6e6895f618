//! The words of Chorale: everything that is hashed, signed, sent or stored, and the arithmetic
//! of stake. No clock, disk, socket, thread, randomness or hash-map order.
//!
//! Read in this order: [`ids`], [`time`] and [`limits`]; [`transaction`], [`batch`] and [`block`]
//! (what is ordered); [`vote`] and [`certificate`] (how it is agreed); [`validators`] and
//! [`genesis`] (by whom); [`message`] (how they speak); [`verify`] (how it is checked).

#[macro_use]
pub mod codec;

pub mod batch;
pub mod block;
pub mod certificate;
pub mod crypto;
pub mod genesis;
pub mod ids;
pub mod level;
pub mod limits;
pub mod merkle;
pub mod message;
pub mod museum;
pub mod ordered;
pub mod rollup;
pub mod time;
pub mod transaction;
pub mod validators;
pub mod verify;
pub mod vote;
