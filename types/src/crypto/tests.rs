//! Tests of the layer as a whole: every BLS test runs against both implementations.

mod bitmap;
mod bls;
mod ed25519;
#[cfg(feature = "fast")]
mod same;
mod text;
mod vectors;
