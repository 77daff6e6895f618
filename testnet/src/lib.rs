//! Many real nodes on one machine: genesis, spawn, load, measure.
//!
//! The nodes are processes of the node program, started as a person would start them. The load is
//! signed transactions sent over the public interface, and what comes out is read by clients that
//! verify everything. Nothing here looks inside a node.
//!
//! Read in this order: [`home`] and [`plan`] (what there is), [`cluster`] and [`process`] (what
//! runs), [`load`] (what goes in), [`follow`] (what comes out), [`track`] (whether that is right),
//! [`monitor`] and [`report`] (what it took), [`crash`] and [`links`] (what if things break).

pub mod cli;
pub mod clock;
pub mod cluster;
pub mod commands;
pub mod crash;
pub mod follow;
pub mod home;
pub mod http;
pub mod links;
pub mod load;
pub mod monitor;
pub mod network;
pub mod plan;
pub mod ports;
pub mod process;
pub mod program;
pub mod record;
pub mod report;
pub mod stop;
pub mod track;
