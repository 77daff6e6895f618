//! What each command does, and which exit code it ends with.

mod control;
mod crash;
mod logs;
mod status;
mod up;

use crate::cli::{Cli, Command, HomeArg, JsonArg};
use crate::home::Home;
use crate::report::{self, Summary};
use anyhow::Result;

/// How a command that did its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Exit code 0.
    Passed,
    /// Exit code 1: what was reported is not as it should be.
    Failed,
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// What happened.
    pub error: anyhow::Error,
    /// 1 when something failed on the way, 2 when it was asked wrongly.
    pub exit_code: u8,
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { error, exit_code: 1 }
    }
}

/// Marks an error as one of usage.
trait Usage<T> {
    fn usage(self) -> Result<T, Failure>;
}

impl<T> Usage<T> for Result<T> {
    fn usage(self) -> Result<T, Failure> {
        self.map_err(|error| Failure { error, exit_code: 2 })
    }
}

/// Runs a command.
///
/// # Errors
/// When it could not do its work.
pub async fn run(cli: Cli) -> Result<Verdict, Failure> {
    match cli.command {
        Command::Up(up) => up::up(up).await,
        Command::Load(load) => up::load(load).await,
        Command::Status(status) => status::status(&status).await,
        Command::Kill(kill) => control::kill(&kill).await,
        Command::Start(start) => control::start(&start).await,
        Command::Logs(logs) => logs::logs(&logs).await,
        Command::Down(down) => control::down(&down).await,
        Command::CrashTest(test) => crash::crash_test(test).await,
    }
}

fn home(argument: &HomeArg) -> Result<Home, Failure> {
    let root = match &argument.home {
        Some(root) => Ok(root.clone()),
        None => Home::default_root(),
    };
    root.and_then(|root| Home::new(&root)).usage()
}

/// Prints a run's summary where it was asked for, and judges it.
fn conclude(summary: &Summary, json: &JsonArg) -> Result<Verdict> {
    if let Some(file) = &json.json {
        report::write_json(summary, file)?;
    }
    if json.json.as_deref() != Some(std::path::Path::new("-")) {
        println!("\n{}", summary.text());
        println!("  {}", summary.verdict());
    }
    Ok(if summary.failures().is_empty() { Verdict::Passed } else { Verdict::Failed })
}
