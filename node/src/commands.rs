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

/// Most threads for work that may block: reads and bodies of the interface have bounds of their
/// own that fit into it, with room for starts, stops and look-ups of names. More of it waits.
const BLOCKING_THREADS_MAX: usize = 32;

fn on_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    runtime()?.block_on(work)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use std::sync::Arc;
    use std::sync::atomic::Ordering::SeqCst;
    use std::sync::atomic::{AtomicBool, AtomicUsize};
    use std::time::Duration;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn work_that_blocks_has_a_bounded_number_of_threads() {
        let api = crate::api::ApiConfig::default();
        assert!(api.reads_max + api.prepares_max + 8 <= BLOCKING_THREADS_MAX);
        let (running, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (open, gate) = (Arc::new(AtomicBool::new(false)), BLOCKING_THREADS_MAX * 4);
        let runtime = runtime().unwrap();
        let works: Vec<_> = (0..gate)
            .map(|_| {
                let (running, peak) = (Arc::clone(&running), Arc::clone(&peak));
                let open = Arc::clone(&open);
                runtime.spawn_blocking(move || {
                    peak.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                    while !open.load(SeqCst) {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    running.fetch_sub(1, SeqCst);
                })
            })
            .collect();
        while running.load(SeqCst) < BLOCKING_THREADS_MAX {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Time for one more to start, if one could.
        std::thread::sleep(Duration::from_millis(100));
        open.store(true, SeqCst);
        for work in works {
            runtime.block_on(work).unwrap();
        }
        assert_eq!(peak.load(SeqCst), BLOCKING_THREADS_MAX);
    }
}
