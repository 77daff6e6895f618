//! `chaos judge`: recorded histories, judged by a crate that shares no code with the nodes.

use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// What `chaos judge` is told.
#[derive(Args)]
pub(crate) struct Judge {
    /// The folder of the histories, or a testnet's home.
    path: PathBuf,
    /// The genesis, where it is not in the folder or above it.
    #[arg(long)]
    genesis: Option<PathBuf>,
    /// Say it as JSON.
    #[arg(long)]
    json: bool,
}

impl Judge {
    /// Does it.
    ///
    /// # Errors
    /// When the histories cannot be read.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let report = chorale_judge::judge(&self.path, self.genesis.as_deref())?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            println!("{report}");
        }
        Ok(ExitCode::from(report.verdict.code()))
    }
}
