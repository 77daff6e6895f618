//! A slice of the scenarios with members that run twice.

use chorale_chaos::twins::{Order, Size, run};

fn clean(order: &Order) -> chorale_chaos::twins::Report {
    let report = run(order, 2, false, |_, _| {});
    assert_eq!(report.violations, 0, "{}", report.text());
    report
}

#[test]
fn every_scenario_of_one_round_is_clean() {
    let report = clean(&Order::Exhaustive { rounds: 1 });
    assert_eq!((report.scenarios, report.scenarios + report.symmetric), (4 * 36, 4 * 52));
}

#[test]
fn drawn_scenarios_of_four_members_are_clean_and_rich() {
    let size = Size { members: 4, twins: 1 };
    let report = clean(&Order::Sampled { size, rounds: 5, from: 0, count: 1_000 });
    assert!(report.equivocations > 0 && report.timeout_certs_with_tips > 0);
    assert!(report.reproposals > 0 && report.final_height_max > 3);
}

#[test]
fn drawn_scenarios_of_seven_members_are_clean_and_rich() {
    let size = Size { members: 7, twins: 2 };
    let report = clean(&Order::Sampled { size, rounds: 7, from: 0, count: 150 });
    assert!(report.equivocations > 0 && report.timeout_certs_with_tips > 0);
}

/// More twins than the stake that may be faulty: the harness must see the chain fork or halt.
#[test]
fn too_many_twins_break_a_promise_and_that_is_seen() {
    let size = Size { members: 4, twins: 2 };
    let report =
        run(&Order::Sampled { size, rounds: 6, from: 0, count: 3_000 }, 2, false, |_, _| {});
    assert!(report.violations > 0, "{}", report.text());
}

#[test]
fn one_order_gives_one_report() {
    let size = Size { members: 4, twins: 1 };
    let order = Order::Sampled { size, rounds: 4, from: 9, count: 50 };
    let numbers = |jobs| {
        let report = run(&order, jobs, true, |_, _| {});
        (report.scenarios, report.timeout_certs, report.reproposals, report.final_height_max)
    };
    assert_eq!(numbers(1), numbers(3));
}
