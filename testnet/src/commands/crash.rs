//! `testnet crash-test`.

use super::{Failure, Usage, Verdict, home};
use crate::cli::{CrashTest, Scenario};
use crate::crash::{self, Plan, Report};
use crate::plan::{self, Shape};
use crate::stop::Stop;
use crate::{program, report};
use anyhow::anyhow;
use clap::ValueEnum;
use serde_json::json;
use std::path::Path;

/// Runs the scenarios one after the other.
pub(super) async fn crash_test(test: CrashTest) -> Result<Verdict, Failure> {
    if test.validators < 4 {
        return Err(anyhow!("--validators {}: one of 4 or more may fail", test.validators)).usage();
    }
    let shape = Shape { validators: test.validators, rollups: test.rollups, recording: true };
    plan::check(shape).usage()?;
    let plan = Plan {
        root: home(&test.home)?.root().join("crash-test"),
        binary: program::find(test.binary.node_binary.as_deref()).usage()?,
        validators: test.validators,
        rollups: test.rollups,
        rate: test.rate,
        kills: test.kills,
        gap_limit_ms: test.gap_limit_ms,
    };
    let scenarios = match test.scenarios.as_slice() {
        [] => Scenario::value_variants().to_vec(),
        chosen => chosen.to_vec(),
    };
    let (stop, mut reports) = (Stop::on_signals()?, Vec::new());
    for scenario in scenarios {
        eprintln!("scenario {}", crash::name(scenario));
        let report = crash::run(&plan, scenario, &stop).await?;
        if test.json.json.as_deref() != Some(Path::new("-")) {
            show(&report);
        }
        reports.push(report);
        if stop.is_asked() {
            break;
        }
    }
    let passed = reports.iter().all(|report| report.passed) && !stop.is_asked();
    if let Some(file) = &test.json.json {
        report::write_json(&json!({"passed": passed, "scenarios": reports}), file)?;
    }
    Ok(if passed { Verdict::Passed } else { Verdict::Failed })
}

fn show(report: &Report) {
    println!("\n{}: {}", report.scenario, if report.passed { "passed" } else { "FAILED" });
    for kill in &report.kills {
        let role = if kill.was_leader { "leader" } else { "follower" };
        let (node, ms, height) = (&kill.node, kill.returned_ms, kill.height);
        println!("  {node} ({role}) killed at height {height}, votes {ms} ms after its start");
    }
    if let Some(lost) = &report.destroyed {
        println!(
            "  {} destroyed {} us after it answered; final {} ms later",
            lost.node, lost.killed_after_us, lost.final_after_ms
        );
    }
    println!("  histories in {}", report.record.display());
    println!("{}", report.load.text());
    println!("  {}", report.load.verdict());
    for failure in &report.failures {
        println!("  failed: {failure}");
    }
}
