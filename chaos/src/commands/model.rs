//! `chaos model`.

use anyhow::Context as _;
use chorale_chaos::model::gates::GATE_VIEWS;
use chorale_chaos::model::layer::Reach;
use chorale_chaos::model::report::{Ask, run, run_gates, run_steps};
use chorale_chaos::model::rule::Rule;
use chorale_chaos::model::state::VIEWS_MAX;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

/// Views that a run works out in seconds.
const VIEWS: u8 = 5;

/// Views that fit into memory step by step.
const STEPS_VIEWS: u8 = 2;

#[derive(Args)]
pub(crate) struct Model {
    /// How many views; with --gates, in how many a rule's absence must show [default: 5, with
    /// --gates 6, with --steps 2].
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=i64::from(VIEWS_MAX)))]
    views: Option<u8>,
    /// Try everything, also what another way makes worse: slower by far.
    #[arg(long, conflicts_with = "gates")]
    all: bool,
    /// Switch this rule off.
    #[arg(long, value_name = "RULE", value_parser = Rule::parse, conflicts_with = "gates")]
    without: Option<Rule>,
    /// Switch every rule off in turn: each absence must be noticed.
    #[arg(long)]
    gates: bool,
    /// Go everywhere step by step in one or two views, and look every place up in the search.
    #[arg(long, conflicts_with_all = ["gates", "all", "without"])]
    steps: bool,
    /// Threads.
    #[arg(long, default_value_t = 2, value_parser = super::parse_jobs)]
    jobs: usize,
    /// Write the report as JSON, to a file or to the standard output.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    json: Option<Option<PathBuf>>,
}

impl Model {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let mut progress = |line: &str| eprintln!("{line}");
        let good = if self.gates {
            let views = self.views.unwrap_or(GATE_VIEWS);
            let report = run_gates(views, self.jobs, &mut progress);
            self.say(&report, &report.text())?;
            report.caught == report.total
        } else if self.steps {
            let views = self.views.unwrap_or(STEPS_VIEWS);
            let fits = "step by step, more than two views do not fit into memory";
            anyhow::ensure!(views <= STEPS_VIEWS, fits);
            let report = run_steps(views, self.jobs);
            self.say(&report, &report.text())?;
            report.is_good()
        } else {
            let ask = Ask {
                views: self.views.unwrap_or(VIEWS),
                reach: if self.all { Reach::All } else { Reach::Worst },
                without: self.without,
                jobs: self.jobs,
            };
            let report = run(&ask, &mut progress);
            self.say(&report, &report.text())?;
            report.broken.is_none()
        };
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn say(&self, report: &impl Serialize, text: &str) -> anyhow::Result<()> {
        match &self.json {
            None => println!("{text}"),
            Some(None) => println!("{}", serde_json::to_string_pretty(report)?),
            Some(Some(file)) => {
                let json = serde_json::to_string_pretty(report)?;
                let what = || format!("cannot write {}", file.display());
                std::fs::write(file, json).with_context(what)?;
                println!("{text}");
            }
        }
        Ok(())
    }
}
