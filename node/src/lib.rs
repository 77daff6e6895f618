//! The body: runs a replica for real, with disk, clock, network, rollup interface and metrics.
