//! The subcommands, one a file.

pub(crate) mod judge;
pub(crate) mod model;
#[cfg(feature = "museum")]
pub(crate) mod museum;
pub(crate) mod sim;
pub(crate) mod twins;

/// A number of threads.
fn parse_jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs @ 1..=256) => Ok(jobs),
        _ => Err("1 to 256 threads".to_owned()),
    }
}
