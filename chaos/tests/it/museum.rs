//! Planted bugs stay in the museum.

use std::path::Path;

/// The names of the planted bugs, from the page that the museum writes.
fn names() -> Vec<String> {
    let page = super::tidy::root().join("docs/museum.md");
    let text = std::fs::read_to_string(page).unwrap();
    let bugs = text.split("## Not planted").next().unwrap().lines();
    let first = |line: &str| Some(line.strip_prefix("| ")?.split(' ').next()?.to_owned());
    bugs.filter_map(first).filter(|name| name.contains('-')).collect()
}

fn holds(program: &[u8], name: &str) -> bool {
    program.windows(name.len()).any(|bytes| bytes == name.as_bytes())
}

#[test]
fn nothing_that_is_built_without_the_museum_holds_a_planted_bug() {
    let names = names();
    assert!(names.len() > 40, "the page names them");
    let chaos = Path::new(env!("CARGO_BIN_EXE_chaos"));
    // The node is there when everything was built, as it is by `make test`.
    let node = chaos.with_file_name("chorale");
    for program in [chaos, &node].into_iter().filter(|program| program.exists()) {
        let bytes = std::fs::read(program).unwrap();
        assert!(holds(&bytes, "no schedule starts with") || program == node, "texts are seen");
        for name in &names {
            assert!(!holds(&bytes, name), "{} holds {name}", program.display());
        }
    }
}
