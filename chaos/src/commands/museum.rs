//! `chaos museum`: planted bugs, and what notices them.

use anyhow::Context as _;
use chorale_chaos::museum::exhibits::{EXHIBITS, Exhibit};
use chorale_chaos::museum::{Finding, Killer, Limits, Report, Visit, control, table, visit, watch};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What `chaos museum` is told.
#[derive(Args)]
pub(crate) struct Museum {
    /// This bug alone, and no control; may be given several times.
    #[arg(long, value_name = "NAME")]
    bug: Vec<String>,
    /// Look this way alone, whatever must notice a bug; no control.
    #[arg(long, value_enum, conflicts_with = "table")]
    by: Option<Way>,
    /// Say what there is, and plant nothing.
    #[arg(long)]
    list: bool,
    /// Write the report as JSON, to a file or to the standard output.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    json: Option<Option<PathBuf>>,
    /// Write the table to a file.
    #[arg(long, value_name = "FILE", conflicts_with = "bug")]
    table: Option<PathBuf>,
    /// Seconds for each bug.
    #[arg(long, default_value_t = 60)]
    seconds_max: u64,
    /// Seeds of the simulator for each bug.
    #[arg(long, default_value_t = 5_000)]
    seeds_max: u64,
    /// Seeds that must be clean with no bug planted.
    #[arg(long, default_value_t = 500)]
    control_seeds: u64,
    /// Threads.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
}

/// A way to look for bugs.
#[derive(Clone, Copy, ValueEnum)]
enum Way {
    Twins,
    Sim,
}

impl Museum {
    /// Does it.
    ///
    /// # Errors
    /// When there is no such bug or a file cannot be written.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let chosen = self.chosen()?;
        if self.list {
            for exhibit in chosen {
                println!("{:<28} {} ({})", exhibit.name, exhibit.wrong, exhibit.source);
            }
            return Ok(ExitCode::SUCCESS);
        }
        // Replicas that contradict themselves panic, which is what is looked for.
        std::panic::set_hook(Box::new(|_| {}));
        let limits = Limits {
            time: Duration::from_secs(self.seconds_max),
            seeds: self.seeds_max,
            from: 0,
            jobs: usize::from(self.jobs),
            everywhere: self.by.is_none(),
        };
        let mut report = Report { total: chosen.len(), ..Report::default() };
        for exhibit in &chosen {
            let seen = match self.by {
                None => visit(exhibit, limits),
                Some(Way::Twins) => visit(&exhibit.only(&[Killer::Twins]), limits),
                Some(Way::Sim) => visit(&exhibit.only(&[Killer::Sim]), limits),
            };
            say(&seen);
            report.killed += usize::from(seen.killed);
            report.as_stated += usize::from(seen.as_stated);
            report.slowest_seconds = report.slowest_seconds.max(seen.seconds);
            report.visits.push(seen);
        }
        if self.bug.is_empty() && self.by.is_none() {
            report.control = control(Limits { seeds: self.control_seeds, ..limits });
            report.control.iter().for_each(|found| say_finding("with no bug planted", found));
        }
        eprintln!(
            "{} of {} bugs noticed, the slowest in {:.1} s; {} false alarms",
            report.killed,
            report.total,
            report.slowest_seconds,
            report.control.len(),
        );
        self.write(&report)?;
        let failed = report.as_stated < report.total || !report.control.is_empty();
        Ok(ExitCode::from(u8::from(failed)))
    }

    fn chosen(&self) -> anyhow::Result<Vec<&'static Exhibit>> {
        for name in &self.bug {
            let known = EXHIBITS.iter().any(|exhibit| exhibit.name == name);
            anyhow::ensure!(known, "no bug is called {name}: see chaos museum --list");
        }
        let wanted = |exhibit: &&Exhibit| {
            self.bug.is_empty() || self.bug.iter().any(|name| name == exhibit.name)
        };
        Ok(EXHIBITS.iter().filter(wanted).collect())
    }

    fn write(&self, report: &Report) -> anyhow::Result<()> {
        match &self.json {
            None => {}
            Some(None) => println!("{}", serde_json::to_string_pretty(report)?),
            Some(Some(file)) => write_file(file, &serde_json::to_string_pretty(report)?)?,
        }
        self.table.as_ref().map_or(Ok(()), |file| write_file(file, &table(report)))
    }
}

fn write_file(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn say(seen: &Visit) {
    for finding in &seen.findings {
        say_finding(seen.name, finding);
    }
    if !seen.killed {
        eprintln!("{}: SURVIVES after {:.1} s", seen.name, seen.seconds);
    } else if !seen.as_stated {
        eprintln!("{}: NOT NOTICED by all that must", seen.name);
    }
}

fn say_finding(name: &str, found: &Finding) {
    let seed = found.seed.map_or_else(String::new, |seed| format!(" {seed}"));
    let what: String = found.what.lines().next().unwrap_or_default().chars().take(120).collect();
    eprintln!("{name}: {:.2} s, {}{seed}: {what}", found.seconds, found.by);
}

/// Looks for a bug drawn by the clock in seeds of its own: whether a campaign of this kind sees
/// anything at all.
pub(crate) fn sees_a_canary(killer: Killer, jobs: usize) -> bool {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let canary = watch(killer, jobs);
    std::panic::set_hook(hook);
    match &canary.finding {
        Some(finding) => say_finding(&format!("canary {}", canary.name), finding),
        None => eprintln!("canary {}: NOT NOTICED, so this campaign shows nothing", canary.name),
    }
    canary.finding.is_some()
}
