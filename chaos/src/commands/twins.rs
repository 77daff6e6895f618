//! `chaos twins`: scenarios with members that run twice.

use anyhow::Context as _;
use chorale_chaos::twins::{Order, Size, run};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// What `chaos twins` is told.
#[derive(Args)]
pub(crate) struct Twins {
    /// Play every canonical scenario of four members and one twin instead of drawing some.
    #[arg(long, conflicts_with_all = ["members", "from", "count"])]
    exhaustive: bool,
    /// Rounds before the tail; at most 4 with --exhaustive.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// Members: 4 with one twin, 7 with two, 10 with three.
    #[arg(long, default_value_t = 4, value_parser = parse_members)]
    members: usize,
    /// The first seed to draw from.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many to draw.
    #[arg(long, default_value_t = 10_000)]
    count: u64,
    /// Threads.
    #[arg(long, default_value_t = 2, value_parser = super::parse_jobs)]
    jobs: usize,
    /// Go on after a violation.
    #[arg(long)]
    keep_going: bool,
    /// Write the report as JSON, to a file or to the standard output.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    json: Option<Option<PathBuf>>,
    /// Plant a bug in seeds beside these, and fail when it is not found (exit code 5).
    #[cfg(feature = "museum")]
    #[arg(long)]
    canary: bool,
}

fn parse_members(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(members @ (4 | 7 | 10)) => Ok(members),
        _ => Err("4, 7 or 10 members".to_owned()),
    }
}

impl Twins {
    /// Does it.
    ///
    /// # Errors
    /// When the order makes no sense or a file cannot be written.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let order = if self.exhaustive {
            anyhow::ensure!(self.rounds <= 4, "--exhaustive goes to 4 rounds at most");
            Order::Exhaustive { rounds: self.rounds }
        } else {
            let size = Size { members: self.members, twins: (self.members - 1) / 3 };
            let rounds = usize::try_from(self.rounds)?;
            Order::Sampled { size, rounds, from: self.from, count: self.count }
        };
        let report = run(&order, self.jobs, self.keep_going, |done, all| {
            eprintln!("{done} of {all} scenarios");
        });
        match &self.json {
            None => println!("{}", report.text()),
            Some(None) => println!("{}", serde_json::to_string_pretty(&report)?),
            Some(Some(file)) => {
                let what = || format!("cannot write {}", file.display());
                std::fs::write(file, serde_json::to_string_pretty(&report)?).with_context(what)?;
                println!("{}", report.text());
            }
        }
        #[cfg(feature = "museum")]
        if self.canary && report.violations == 0 {
            let killer = chorale_chaos::museum::Killer::Twins;
            if !super::museum::sees_a_canary(killer, self.jobs) {
                return Ok(ExitCode::from(5));
            }
        }
        Ok(ExitCode::from(u8::from(report.violations > 0)))
    }
}
