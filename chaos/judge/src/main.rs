//! `judge`: reads recorded histories and says what they prove.

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Decides from recorded histories alone whether the promises were kept.
///
/// Exit code 0: pass. 1: a promise was broken. 2: the run proves nothing, or cannot be read.
#[derive(Parser)]
#[command(name = "judge", version)]
struct Arguments {
    /// The folder of the histories, or a testnet's home.
    path: PathBuf,
    /// The genesis, where it is not in the folder or above it.
    #[arg(long)]
    genesis: Option<PathBuf>,
    /// Say it as JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match chorale_judge::judge(&arguments.path, arguments.genesis.as_deref()) {
        Ok(report) if arguments.json => {
            let text = serde_json::to_string_pretty(&report).expect("a report is plain data");
            println!("{text}");
            ExitCode::from(report.verdict.code())
        }
        Ok(report) => {
            println!("{report}");
            ExitCode::from(report.verdict.code())
        }
        Err(error) => {
            eprintln!("judge: {error}");
            ExitCode::from(2)
        }
    }
}
