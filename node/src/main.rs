//! `chorale`: a validator of the shared sequencer, and the commands of its operators and users.

use std::process::ExitCode;

fn main() -> ExitCode {
    chorale_node::commands::run()
}
