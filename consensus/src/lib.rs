//! The thinking: a pure replica, step(now, input) -> outputs.
