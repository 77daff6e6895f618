//! The words of Chorale.
#[macro_use]
pub mod codec;
pub mod crypto;
pub mod ids;
