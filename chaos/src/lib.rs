//! Faults: the seeded simulator and its invariants.
