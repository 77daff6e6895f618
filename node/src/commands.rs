//! The command line of `chorale`. Exit codes: 0 done, 1 failed while running, 2 wrong usage, or
//! files that cannot be used.

pub mod follow;
pub mod genesis;
pub mod init;
pub mod keys;
pub mod start;
pub mod status;
pub mod submit;

use crate::node::VERSION;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A validator of a shared sequencer, and what its operators and users need.
#[derive(Parser, Debug)]
#[command(name = "chorale", version = VERSION, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Init(init::InitArgs),
    Start(start::StartArgs),
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    #[command(subcommand)]
    Genesis(genesis::GenesisCommand),
    Status(status::StatusArgs),
    Submit(submit::SubmitArgs),
    Follow(follow::FollowArgs),
}

/// What an operator has to put right before anything runs: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Setup(String);

/// Marks a failure as the operator's to put right.
pub(crate) fn setup(error: impl Into<anyhow::Error>) -> anyhow::Error {
    let error: anyhow::Error = error.into();
    Setup(format!("{error:#}")).into()
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Init(args) => args.run(),
        Command::Keys(command) => command.run(),
        Command::Genesis(command) => command.run(),
        Command::Start(args) => on_runtime(args.run()),
        Command::Status(args) => on_runtime(args.run()),
        Command::Submit(args) => on_runtime(args.run()),
        Command::Follow(args) => on_runtime(args.run()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chorale: {error:#}");
            ExitCode::from(if error.is::<Setup>() { 2 } else { 1 })
        }
    }
}

fn on_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
