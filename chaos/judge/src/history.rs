//! Recorded histories, read line by line (section 12 of the document). Nothing here judges: what a
//! line says goes to the tables of the case and to the invariants that want it.

pub mod client;
pub mod faults;
pub mod folder;
pub mod follower;
pub mod lines;
pub mod node;
