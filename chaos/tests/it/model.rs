//! The exhaustive model: it is clean, it notices every missing rule, it loses nothing by what it
//! leaves out, and it decides as real replicas do.

mod real;
mod walk;

use chorale_chaos::model::gates::try_without;
use chorale_chaos::model::layer::{Game, Reach, Watch};
use chorale_chaos::model::liveness::check_liveness;
use chorale_chaos::model::rule::{Rule, Rules};
use chorale_chaos::model::search::{Found, Order, search};
use chorale_chaos::model::state::State;
use chorale_chaos::model::steps::explore;
use chorale_chaos::model::world::Event;
use chorale_chaos::model::worse::{Known, compare_steps};
use chorale_chaos::rng::{Rng, Stream};
use real::Real;
use walk::Walk;

fn searched(views: u8, reach: Reach) -> Found {
    let game = Game { in_force: Rules::ALL, watch: Watch::Both, reach };
    search(&Order { views, game, jobs: 2 }, |_| ())
}

#[test]
fn nothing_breaks_in_four_views() {
    let found = searched(4, Reach::Worst);
    assert_eq!(found.broken, None);
    let states: Vec<u64> = found.levels.iter().map(|level| level.states).collect();
    assert_eq!(states, [12, 193, 2_632, 31_139], "as many as were there when this was written");
}

#[test]
fn nothing_breaks_in_three_views_with_everything_tried() {
    let found = searched(3, Reach::All);
    assert_eq!(found.broken, None);
    let states: Vec<u64> = found.levels.iter().map(|level| level.states).collect();
    assert_eq!(states, [36, 1_186, 29_354]);
}

#[test]
fn threads_change_nothing() {
    let game = Game { in_force: Rules::ALL, watch: Watch::Both, reach: Reach::Worst };
    let alone = search(&Order { views: 3, game, jobs: 1 }, |_| ());
    let many = search(&Order { views: 3, game, jobs: 3 }, |_| ());
    assert_eq!((alone.levels, alone.last), (many.levels, many.last));
}

/// The views that each absence needs. One more rule, `adopt-inside`, needs six: `chaos model
/// --gates` tries it too.
#[test]
fn every_missing_rule_is_noticed() {
    let needed = [
        (Rule::CommitGate, 2),
        (Rule::NoVoteAfterTimeout, 2),
        (Rule::AdoptParent, 3),
        (Rule::NoTwoChain, 3),
        (Rule::HighestReported, 3),
        (Rule::TipSupport, 3),
        (Rule::TipAboveHighest, 3),
        (Rule::TipBinds, 2),
        (Rule::SupportOverGroups, 3),
        (Rule::TipMovesAgain, 3),
        (Rule::OneReportEach, 2),
        (Rule::AdoptEntry, 4),
        (Rule::OwnLockNotAsked, 2),
    ];
    for (rule, views) in needed {
        let gate = try_without(rule, 4, 2, &mut |_| ());
        assert!(gate.is_caught(), "{} is missed: {gate:#?}", rule.name());
        assert_eq!(gate.views, Some(views), "{}", rule.name());
        assert!(!gate.schedule.is_empty());
    }
    assert_eq!(needed.len() + 1, Rule::ALL.len(), "every rule is here but one");
}

#[test]
fn the_flaw_that_needs_six_views_is_not_in_four() {
    let gate = try_without(Rule::AdoptInside, 4, 2, &mut |_| ());
    assert_eq!(gate.broken, None, "the search tells rules apart by how deep it goes");
}

#[test]
fn one_honest_view_makes_a_block_final_from_everywhere() {
    for views in 1..=3 {
        let found = searched(views, Reach::All);
        let lively = check_liveness(&found.last, views, Rules::ALL);
        assert_eq!(lively.stuck, None);
        assert!(lively.cases > lively.states && lively.states > 30);
    }
}

#[test]
fn packed_states_come_back() {
    for packed in searched(3, Reach::All).last {
        let state = State::unpack(packed);
        assert_eq!(state.pack(), packed);
        assert_eq!(state.canonical(), state);
        let mut mirrored = state;
        mirrored.members.reverse();
        assert_eq!(mirrored.canonical().pack(), packed, "who is who does not matter");
    }
}

#[test]
fn what_is_left_out_is_never_worse() {
    let known = Known::after(3, 2);
    for packed in searched(3, Reach::All).last {
        let state = State::unpack(packed);
        assert!(known.has_worse(&state), "nothing is as bad as {state:#?}");
    }
}

#[test]
fn steps_in_any_order_lead_nowhere_that_the_search_does_not_know() {
    let known: Vec<Known> = (1..=4).map(|view| Known::after(view, 2)).collect();
    let (mut seen, mut finals) = ([0_u32; 4], 0);
    for seed in 0..6_000 {
        let views = 1 + u8::try_from(seed % 4).unwrap();
        let mut walk = Walk::new(Rng::new(seed, Stream::Byzantine), views);
        for _ in 0..60 * u32::from(views) {
            walk.step();
            assert_eq!(walk.world.broken, None, "seed {seed}");
            if let Some(state) = walk.world.project(views) {
                let place = usize::from(views) - 1;
                seen[place] += 1;
                assert!(known[place].has_worse(&state), "seed {seed}: {:#?}", walk.world);
            }
        }
        finals += u32::from(walk.world.last_final != 0);
    }
    assert!(seen.iter().all(|states| *states > 1_000), "few states compared: {seen:?}");
    assert!(finals > 100, "few walks make a block final: {finals}");
}

/// All of one view; of two views what a second allows. `chaos model --steps` goes everywhere.
#[test]
fn every_order_of_steps_leads_where_the_search_knows() {
    for (views, least) in [(1, 100), (2, 10_000)] {
        let compared = compare_steps(views, 40_000, 2);
        assert_eq!((compared.broken, compared.unknown), (None, None));
        assert!(compared.compared > least, "only {} compared", compared.compared);
    }
}

#[test]
fn going_step_by_step_finds_what_two_views_show() {
    for rule in [Rule::CommitGate, Rule::OneReportEach] {
        let steps = explore(2, Rules::without(rule), 100_000, |_| ());
        assert_eq!(steps.broken, Some(rule.protects()), "{}", rule.name());
    }
}

#[test]
fn real_replicas_decide_as_the_model_does() {
    let (mut prepared, mut refused, mut commits, mut given_up) = (0, 0, 0, 0);
    for seed in 0..2_000 {
        let mut walk = Walk::new(Rng::new(seed, Stream::Byzantine), 6);
        let mut real = Real::start();
        for at in 0..40 {
            let Some((to, event, said)) = walk.step() else { continue };
            let answer = real.step(&walk.world, to, &event);
            assert_eq!(answer, said, "seed {seed}, step {at}: {to} is told {event:?}");
            let replica = &walk.world.replicas[to];
            assert_eq!(real.view_and_lock(to), (replica.view, replica.lock), "seed {seed}");
            prepared += u32::from(said.prepared.is_some());
            let proposed = matches!(event, Event::Proposal(_));
            refused += u32::from(proposed && said.prepared.is_none());
            commits += said.commits.len();
            given_up += u32::from(said.gave_up.is_some());
        }
    }
    let counted = (prepared, refused, commits, given_up);
    assert!(prepared > 5_000 && refused > 2_000 && commits > 1_000, "{counted:?}");
    assert!(given_up > 5_000, "{counted:?}");
}

#[test]
fn a_model_without_a_rule_does_not_decide_as_real_replicas_do() {
    let disagrees = |rule: Rule| {
        (0..2_000).any(|seed| {
            let mut walk = Walk::new(Rng::new(seed, Stream::Byzantine), 6);
            walk.in_force = Rules::without(rule);
            let mut real = Real::start();
            (0..40).any(|_| {
                let Some((to, event, said)) = walk.step() else { return false };
                let answer = real.step(&walk.world, to, &event);
                let replica = &walk.world.replicas[to];
                answer != said || real.view_and_lock(to) != (replica.view, replica.lock)
            })
        })
    };
    for rule in Rule::ALL {
        // What nobody decides alone: a commit rule that is not there, and a certificate that
        // counts somebody twice or carries less than it should, which is refused as malformed.
        let elsewhere = [Rule::NoTwoChain, Rule::OneReportEach, Rule::HighestReported];
        if !elsewhere.contains(&rule) {
            assert!(disagrees(rule), "the traces do not tell whether {} holds", rule.name());
        }
    }
}
