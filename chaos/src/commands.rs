//! The subcommands, one a file.

#[cfg(feature = "museum")]
pub(crate) mod museum;
pub(crate) mod sim;
pub(crate) mod twins;
