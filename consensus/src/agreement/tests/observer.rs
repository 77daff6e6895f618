//! A member without its vote record follows the chain and signs nothing (R4).

use super::scene::{SIGNED, Said, listen};
use super::{Committee, SECOND};
use crate::config::Config;
use crate::input::Input;
use crate::job::{Job, Verdict, Work};
use crate::output::{Output, Statement};
use crate::record::Recovered;
use crate::replica::Replica;
use crate::testing::config_of;
use chorale_types::ids::Height;
use chorale_types::message::Received;
use chorale_types::time::Now;

/// What a member would sign, and how many blocks became final, while it is told everything.
fn follow(config: &Config, committee: &mut Committee) -> (usize, Height) {
    let said = Said::default();
    listen(committee, &said, |to, _| to.get() != 3);
    let (mut replica, outputs) = Replica::recover(config, Recovered::default(), committee.now());
    let mut signed = 0;
    let mut host = |replica: &mut Replica, now: Now, outputs: Vec<Output>| {
        let mut outputs = outputs;
        while let Some(output) = outputs.pop() {
            match output {
                Output::Verify(Job { id, work }) => {
                    let shares = Verdict::Shares { bad: Vec::new(), aggregate: Some(SIGNED) };
                    let all = matches!(work, Work::All(_));
                    let verdict = if all { Verdict::All { good: true } } else { shares };
                    outputs.extend(replica.step(now, Input::Checked(id, verdict)));
                }
                // Every moment asked for comes at once, so every timer fires too often.
                Output::Arm(timer, at) if at <= now.monotonic => {
                    outputs.extend(replica.step(now, Input::Timer(timer)));
                }
                Output::Send(_, Statement::Vote(_) | Statement::Timeout(_), _)
                | Output::Send(_, Statement::Proposal(_), _) => signed += 1,
                _ => {}
            }
        }
    };
    host(&mut replica, committee.now(), outputs);
    for _ in 0..200 {
        committee.run(SECOND / 10);
        let now = committee.now();
        for (from, message) in said.take() {
            let outputs = replica.step(now, Input::Message(Received { from, message }));
            host(&mut replica, now, outputs);
        }
    }
    (signed, replica.status().height)
}

#[test]
fn a_member_without_its_vote_record_follows_and_signs_nothing() {
    for votes in [false, true] {
        let mut committee = Committee::new(&[1, 1, 1, 1]);
        committee.kill(3);
        let config = Config { votes, ..config_of(&committee.set, 3) };
        let (signed, height) = follow(&config, &mut committee);
        let others = committee.status(0).height;
        assert!(height.get() + 2 >= others.get() && others.get() > 5, "{height} of {others}");
        assert_eq!(signed > 0, votes, "{signed} statements signed, may vote: {votes}");
    }
}
