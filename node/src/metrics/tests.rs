use super::*;
use std::collections::BTreeSet;

#[test]
fn the_page_ends_with_the_wires_part_or_the_end_mark() {
    let metrics = Metrics::default();
    assert!(metrics.text().ends_with("\n# EOF\n"));
    metrics.set_wire(|| "# HELP other_things Other.\n# EOF\n".to_owned());
    let text = metrics.text();
    assert!(text.ends_with("# HELP other_things Other.\n# EOF\n"));
    assert_eq!(text.matches("# EOF").count(), 1);
}

#[test]
fn every_metric_has_a_help_and_a_name_of_ours_once() {
    let metrics = Metrics::default();
    // Families with labels show only once they have a value.
    metrics
        .on_note(&Note::QuorumCertFormed { view: chorale_types::ids::View::new(1), backup: true });
    let text = metrics.text();
    let names = |mark: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(mark));
        lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    let (typed, helped) = (names("# TYPE "), names("# HELP "));
    assert_eq!(typed, helped);
    assert!(typed.len() > 20);
    assert!(typed.iter().all(|name| name.starts_with("chorale_")), "{typed:?}");
    assert!(typed.iter().all(|name| !name.starts_with("chorale_p2p_")));
    assert_eq!(typed.iter().collect::<BTreeSet<_>>().len(), typed.len());
    assert!(text.contains("chorale_qc_formed_total{kind=\"backup\"} 1"));
}

#[test]
fn gauges_are_sampled_when_somebody_looks() {
    let metrics = Metrics::default();
    metrics.set_sampler(|metrics| metrics.work.waiting.with_label_values(&["urgent"]).set(7));
    assert!(metrics.text().contains("chorale_waiting{queue=\"urgent\"} 7"));
}

#[test]
fn faults_are_counted_by_kind_and_by_peer() {
    use crate::faults::Misdeed;
    use chorale_types::ids::ValidatorIndex;
    let (metrics, peer) = (Metrics::default(), ValidatorIndex::new(2));
    (0..3).for_each(|_| metrics.faults.report(peer, Misdeed::Undecodable));
    metrics.faults.report_follower(Misdeed::Undecodable);
    assert_eq!(metrics.faults.of(peer), 3);
    assert_eq!(metrics.faults.of(ValidatorIndex::new(1)), 0);
    assert!(metrics.text().contains("chorale_bad_messages_total{fault=\"undecodable\"} 4"));
}
