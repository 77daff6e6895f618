//! `docs/bad-input.md` says which test shows how each bad input is refused: those tests must exist.

use crate::tidy::{root, texts};
use std::collections::BTreeSet;
use std::fs;

/// A row's last cell, where it is a row of a table and not its head.
fn tests_cell(line: &str) -> Option<&str> {
    let row = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let cell = row.rsplit('|').next()?.trim();
    let is_head = cell == "Test" || cell == "test" || cell.chars().all(|c| "-: ".contains(c));
    (!is_head).then_some(cell)
}

/// The names between backticks, without the paths in front of them.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.map(|name| name.rsplit("::").next().unwrap_or(name).trim_end_matches("()"))
}

/// The functions of a text.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    let after = text.split("fn ").skip(1);
    after.filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
}

#[test]
fn every_test_that_the_bad_input_table_names_exists() {
    let table = fs::read_to_string(root().join("docs/bad-input.md")).unwrap();
    let texts = texts(&["."]);
    let known: BTreeSet<&str> = texts.iter().flat_map(|(_, text)| functions(text)).collect();
    assert!(known.len() > 500, "the sources are found");
    let (mut rows, mut wrong) = (0, Vec::new());
    for (at, line) in table.lines().enumerate() {
        let Some(cell) = tests_cell(line) else { continue };
        rows += 1;
        let named: Vec<&str> = names(cell).collect();
        if named.is_empty() {
            wrong.push(format!("line {}: no test is named", at + 1));
        }
        let missing = named.iter().filter(|name| !known.contains(*name));
        wrong.extend(missing.map(|name| format!("line {}: there is no test {name}", at + 1)));
    }
    assert!(rows > 80, "{rows} rows");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_row_is_told_from_a_head_and_names_from_words() {
    assert_eq!(tests_cell("| a | b | Test |"), None);
    assert_eq!(tests_cell("|---|:-:|---|"), None);
    assert_eq!(tests_cell("words | words"), None);
    let cell = tests_cell("| in | `Out` | `one`, `path::to::two` and `three()` |").unwrap();
    assert_eq!(names(cell).collect::<Vec<_>>(), ["one", "two", "three"]);
    assert_eq!(names("none").count(), 0);
    let found: Vec<_> = functions("fn one() {} async fn two<T>(of: T)").collect();
    assert_eq!(found, ["one", "two"]);
}
