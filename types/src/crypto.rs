//! Hashing, keys, signatures and signer bitmaps: thin, strict layers over audited libraries.

pub mod hash;
