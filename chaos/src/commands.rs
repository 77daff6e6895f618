//! The subcommands, one a file.

pub(crate) mod sim;
pub(crate) mod twins;
