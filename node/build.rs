//! Names the commit in the program: `CHORALE_COMMIT` if set, else what git says, else nothing is
//! known. Never fails.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=CHORALE_COMMIT");
    for file in ["HEAD", "logs/HEAD"] {
        let path = format!("../.git/{file}");
        if std::path::Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let given = std::env::var("CHORALE_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(from_git).unwrap_or_else(|| "unknown commit".to_owned());
    println!("cargo:rustc-env=CHORALE_COMMIT={commit}");
}

fn from_git() -> Option<String> {
    let asked = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let commit = asked.status.success().then(|| String::from_utf8(asked.stdout).ok())??;
    Some(commit.trim().to_owned()).filter(|commit| !commit.is_empty())
}
