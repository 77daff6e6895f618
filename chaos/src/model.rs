//! The exhaustive model: agreement among three honest replicas and a Byzantine one that leads
//! every view, in every way it can go, up to so many views.
//!
//! An honest replica here is a handful of view numbers ([`honest`]) that decide by the replica's
//! own comparisons; certificates are what their signers said ([`timeout`], [`justified`]). Runs
//! are sorted by view ([`layer`]), so a state is what one view leaves for the next ([`state`]), and
//! the search goes level by level ([`search`]). What must hold: no two blocks of which neither
//! stands on the other become final; what all honest replicas prepared in one view stays; and from
//! everywhere it moves ([`liveness`]). [`gates`] switches the rules off, each in turn ([`rule`]),
//! and [`explain`] tells what then happens. [`world`] is the same protocol step by step, in any
//! order, and [`steps`] goes everywhere in it: [`worse`] compares that with the search, and tests
//! compare it with real replicas.

pub mod explain;
pub mod gates;
pub mod honest;
pub mod justified;
pub mod layer;
pub mod liveness;
pub mod report;
pub mod rule;
pub mod search;
pub mod state;
pub mod steps;
pub mod timeout;
pub mod world;
pub mod worse;
