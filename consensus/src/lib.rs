//! The thinking: a pure replica, `step(now, input) -> outputs`.

pub mod agreement;
pub mod config;
mod context;
pub mod input;
pub mod job;
pub mod lanes;
pub mod note;
pub mod ordering;
pub mod output;
pub mod record;
mod replica;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use agreement::Status;
pub use config::Config;
pub use input::Input;
pub use lanes::LaneLost;
pub use output::Output;
pub use replica::Replica;
