//! The judge's tests: good histories pass, planted bad ones are refused by the right name.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod document;
mod good;
mod no_false_alarm;
mod planted;
mod second_opinion;
mod verdicts;
