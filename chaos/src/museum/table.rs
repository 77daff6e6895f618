//! The museum as a page.

use super::campaign::{Finding, Report, Visit};
use super::history::{ABSENT, OTHERS};
use std::fmt::Write as _;

const HEAD: &str = "\
# The museum of bugs

Written by `make museum`; change `chaos/src/museum`, not this page. Each bug is planted by name in
one build with the feature `museum`, and looked for by everything that must notice it: probes
(`chaos/src/probes`), scenarios with twins, seeds of the simulator. A seed counts only if it is
clean without the bug. A build without the feature holds none of them.

Rules are those of [the protocol](../consensus/PROTOCOL.md); R and a number is a bug of the last
table.

";

/// The page that `chaos museum --table` writes.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut out = HEAD.to_owned();
    let _ = writeln!(
        out,
        "{} of {} are noticed; with no bug planted, the same campaigns notice {}.\n",
        report.killed,
        report.total,
        if report.control.is_empty() { "nothing" } else { "SOMETHING" },
    );
    out.push_str("| Bug | What is wrong | Rule or source | Noticed by | Seed | Time |\n");
    out.push_str("|---|---|---|---|---|---|\n");
    for visit in &report.visits {
        line(&mut out, visit);
    }
    out.push_str(
        "\n## Not planted\n\n| Number | Bug | Why not, or what shows it |\n|---|---|---|\n",
    );
    for (number, bug, why) in ABSENT {
        let _ = writeln!(out, "| {number} | {bug} | {why} |");
    }
    out.push_str(
        "\n## Bugs that others had\n\n| Number | Bug | What covers it here |\n|---|---|---|\n",
    );
    for (number, bug, what) in OTHERS {
        let _ = writeln!(out, "| {number} | {bug} | {what} |");
    }
    out
}

fn line(out: &mut String, visit: &Visit) {
    let by = |finding: &Finding| match finding.seed {
        // The promise goes before the colon.
        Some(_) => {
            let promise = finding.what.split(':').next().unwrap_or_default();
            format!("{}: `{promise}`", finding.by)
        }
        None => finding.by.clone(),
    };
    let seed = |finding: &Finding| finding.seed.map(|seed| seed.to_string());
    let by: Vec<String> = visit.findings.iter().map(by).collect();
    let seeds: Vec<String> = visit.findings.iter().filter_map(seed).collect();
    let by = if visit.killed { by.join("; ") } else { "**survives**".to_owned() };
    let (name, wrong, source) = (visit.name, visit.wrong, visit.source);
    let (seeds, class) = (seeds.join(", "), class(visit.seconds));
    let _ = writeln!(out, "| {name} | {wrong} | {source} | {by} | {seeds} | {class} |");
}

/// Times differ by machine and run; their size does not.
fn class(seconds: f64) -> &'static str {
    match seconds {
        s if s < 0.1 => "< 0.1 s",
        s if s < 1.0 => "< 1 s",
        s if s < 10.0 => "< 10 s",
        s if s < 60.0 => "< 60 s",
        _ => "60 s and more",
    }
}
