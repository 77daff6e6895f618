//! Runs that prove nothing are invalid, whatever holds in them; and what is said has its form.

use crate::good::history::{History, of};
use crate::good::{Plan, World};
use crate::planted::{base, fault};
use chorale_judge::report::{Outcome, Report, Verdict};
use serde_json::{Value, json};
use std::process::Command;
use tempfile::TempDir;

fn judged(change: impl FnOnce(&mut History)) -> Report {
    let (world, history) = base();
    let mut history = history.clone();
    change(&mut history);
    history.judge(world)
}

#[track_caller]
fn is_invalid(why: &str, change: impl FnOnce(&mut History)) {
    let report = judged(change);
    assert_eq!(report.verdict, Verdict::Invalid, "{report}");
    assert!(report.invalid.iter().any(|said| said.contains(why)), "{why}: {report}");
}

#[test]
fn a_fault_needs_proof_that_it_had_an_effect() {
    let passed = judged(|run| fault(run, |_| {}));
    assert_eq!(passed.verdict, Verdict::Pass, "{passed}");
    is_invalid("without proof", |run| fault(run, |fault| fault["proof"] = Value::Null));
    is_invalid("without effect", |run| {
        fault(run, |fault| fault["proof"]["during"] = "running".into());
    });
    is_invalid("not a fault", |run| fault(run, |fault| fault["kind"] = "bad luck".into()));
    is_invalid("not a fault", |run| fault(run, |fault| fault["colour"] = "red".into()));
    is_invalid("no validator", |run| fault(run, |fault| fault["node"] = "node9".into()));
    is_invalid("before it begins", |run| fault(run, |fault| fault["to"] = 1.into()));
}

#[test]
fn what_does_not_say_enough_is_invalid() {
    is_invalid("no node's history", |run| {
        run.named("node").iter().for_each(|file| drop(run.files.remove(file)));
    });
    is_invalid("nothing was final", |run| {
        for file in run.named("node") {
            let of_height = |line: &Value| line["height"].is_u64();
            let told = of("answered");
            run.lines(&file).retain(|line| !of_height(line) && !told(line));
        }
    });
    is_invalid("nothing was submitted", |run| drop(run.files.remove("client.jsonl")));
    is_invalid("nothing was promised", |run| {
        run.lines("client.jsonl").retain(|line| line["type"] != "ok");
    });
    is_invalid("nothing was read", |run| {
        for file in run.named("follower") {
            run.lines(&file).retain(|line| line["type"] == "start");
        }
        run.lines("client.jsonl").retain(|line| line["level"] != "available");
    });
    is_invalid("could not be written", |run| {
        run.add("node0.jsonl", json!({"t": 1, "kind": "lost", "entries": 4}));
    });
    is_invalid("another version or chain", |run| {
        run.lines("node0.jsonl")[0]["chain"] = format!("0x{}", "11".repeat(32)).into();
    });
    is_invalid("never sent", |run| {
        let id = format!("0x{}", "12".repeat(32));
        run.add("client.jsonl", json!({"type": "unknown", "t": 1, "id": id, "why": ""}));
    });
    is_invalid("node0.jsonl:1", |run| run.lines("node0.jsonl").insert(0, json!({"kind": "?"})));
}

#[test]
fn a_breach_in_a_run_that_proves_nothing_else_is_a_breach() {
    let report = judged(|run| {
        fault(run, |fault| fault["proof"] = Value::Null);
        let again = run.files["follower-1-0.jsonl"][1].clone();
        run.lines("follower-1-0.jsonl").insert(1, again);
    });
    assert_eq!((report.verdict, report.violated()), (Verdict::Fail, vec!["I4"]), "{report}");
}

#[test]
fn a_cut_line_with_a_start_behind_it_is_a_crash_and_not_more() {
    let (world, history) = base();
    let folder = TempDir::new().unwrap();
    history.write(folder.path());
    let file = folder.path().join("node2.jsonl");
    let (text, start) = (std::fs::read_to_string(&file).unwrap(), &history.files["node2.jsonl"][0]);
    let lines = text.lines().count();
    let half = format!("{text}{{\"t\":7,\"kind\":\"stat{start}\n");
    std::fs::write(&file, half).unwrap();
    let found = chorale_judge::history::folder::Folder::find(folder.path()).unwrap();
    let report = chorale_judge::judge_chain(&world.chain, &found).unwrap();
    assert_eq!(report.verdict, Verdict::Pass, "{lines} lines and a half: {report}");
}

#[test]
fn what_was_ordered_before_anybody_read_is_not_lost() {
    let report = judged(|run| {
        for file in run.named("follower-1") {
            let late = |line: &Value| line["sequence"].as_u64().is_some_and(|at| at >= 4);
            let first = run.find(&file, 0, late);
            let start = run.lines(&file)[0].clone();
            let mut rest = run.lines(&file).split_off(first);
            rest.insert(0, start);
            rest[0]["from"] = rest[1]["sequence"].clone();
            run.files.insert(file, rest);
        }
    });
    assert_eq!(report.verdict, Verdict::Pass, "{report}");
    let Outcome::Held { note, .. } = &report.invariants[2].outcome else { panic!("{report}") };
    assert!(note.as_ref().unwrap().contains("before any follower"), "{report}");
}

#[test]
fn what_is_not_judged_says_why() {
    let report = base().1.judge(&base().0);
    assert_eq!(report.invariants.len(), 16);
    for ruling in &report.invariants {
        match (&ruling.outcome, ruling.id) {
            (Outcome::Held { checked, .. }, _) => assert!(*checked > 0, "{}", ruling.id),
            (Outcome::NotJudged { why }, id) => {
                assert!(!why.is_empty());
                assert!(["I8", "I9", "I10", "I11", "I13", "I14", "I16"].contains(&id), "{id}");
            }
            (Outcome::Violated { .. }, id) => panic!("{id}"),
        }
    }
}

#[test]
fn a_member_faulty_by_plan_is_held_to_nothing_and_the_others_to_everything() {
    let double = |run: &mut History| {
        let planted = crate::planted::all();
        let double = planted.iter().find(|bad| bad.name == "two prepare votes in a view");
        (double.unwrap().change)(&base().0, run);
    };
    let excused = judged(|run| {
        double(run);
        fault(run, |fault| (fault["kind"], fault["node"]) = ("byzantine".into(), "node2".into()));
    });
    assert_eq!(excused.verdict, Verdict::Pass, "{excused}");
    let other = judged(|run| {
        double(run);
        fault(run, |fault| (fault["kind"], fault["node"]) = ("byzantine".into(), "node1".into()));
    });
    assert_eq!(other.violated(), ["I7"], "{other}");
}

#[test]
fn the_program_says_it_in_words_in_json_and_by_its_exit_code() {
    let world = World::new(Plan { heights: 5, ..Plan::plain() });
    let mut history = crate::good::record::record(&world, &mut crate::good::Random::new(2));
    let folder = TempDir::new().unwrap();
    let run = |history: &History, arguments: &[&str]| {
        history.write(folder.path());
        let program = env!("CARGO_BIN_EXE_judge");
        let output = Command::new(program).arg(folder.path()).args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = run(&history, &[]);
    assert!(code == 0 && text.contains("verdict: pass"), "{code}: {text}");
    let at = history.find("follower-1-0.jsonl", 0, of("frame"));
    history.lines("follower-1-0.jsonl").remove(at);
    let (code, text) = run(&history, &["--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &report["verdict"]), (1, &json!("fail")), "{text}");
    let fourth = &report["invariants"][3];
    assert_eq!((&fourth["id"], &fourth["outcome"]), (&json!("I4"), &json!("violated")));
    let place = fourth["breaches"][0]["place"].as_str().unwrap();
    assert!(place.starts_with("follower-1-0.jsonl:"), "{place}");
    history.files.insert("client.jsonl".into(), Vec::new());
    let at = history.find("follower-1-0.jsonl", 0, of("start"));
    history.lines("follower-1-0.jsonl")[at]["from"] = 2.into();
    let (code, text) = run(&history, &[]);
    assert!(code == 2 && text.contains("nothing was submitted"), "{code}: {text}");
    let empty = TempDir::new().unwrap();
    let program = env!("CARGO_BIN_EXE_judge");
    let output = Command::new(program).arg(empty.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "there is no genesis");
}
