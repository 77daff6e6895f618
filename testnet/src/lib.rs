//! Many real nodes on one machine: genesis, spawn, load, measure.
