//! `testnet`: many real nodes on one machine. See `testnet --help`.

use chorale_testnet::cli::Cli;
use chorale_testnet::commands::{self, Verdict};
use clap::Parser;
use owo_colors::{OwoColorize, Stream};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(cli)),
        Err(error) => Err(anyhow::Error::from(error).into()),
    };
    match done {
        Ok(Verdict::Passed) => ExitCode::SUCCESS,
        Ok(Verdict::Failed) => ExitCode::from(1),
        Err(failure) => {
            let label = "error:".if_supports_color(Stream::Stderr, |text| text.red());
            eprintln!("{label} {:#}", failure.error);
            ExitCode::from(failure.exit_code)
        }
    }
}
