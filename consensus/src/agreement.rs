//! Agreement: one chain of blocks.

pub mod safety;
