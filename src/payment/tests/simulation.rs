//! The proof that no debit is orphaned, on a virtual clock and network: callers, journal, links, bank,
//! kills and the clock act as a seed has it, and at the end three books must agree, those of the
//! callers, of the journal, and of the bank.
//!
//! The desk is the real one. What surrounds it shares nothing with it: the bank keeps its books by
//! what DE11, DE7 and DE90 say, and is judged by the money alone. A failing seed is named and can be
//! played again alone: `SIMULATION_SEED=17 cargo test simulat`.

mod bank;
mod world;

use world::{Mutant, Verdict, World};

/// As many as take some seconds in a debug build. `SIMULATION_SEEDS` asks for more.
const SEEDS: u64 = 2_000;

/// Things that happen under one seed before the faults stop.
const STEPS: usize = 400;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn play(seed: u64, mutant: Mutant) -> Verdict {
    let mut world = World::new(seed, mutant);
    for _ in 0..STEPS {
        world.step();
    }
    world.settle();
    world.verdict()
}

#[test]
fn under_any_seed_no_debit_is_orphaned_doubled_or_told_wrongly() {
    let seeds = match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("SIMULATION_SEEDS").unwrap_or(SEEDS) + 1,
    };
    let mut all = Verdict::default();
    for seed in seeds {
        let verdict = play(seed, Mutant::None);
        assert!(verdict.is_clean(), "seed {seed}: {verdict:#?}");
        all.add(verdict);
    }
    println!("{all:#?}");
    if number("SIMULATION_SEED").is_none() {
        assert!(
            all.covers_everything(),
            "something never happened: {all:#?}"
        );
    }
}

/// How many of a hundred seeds find the fault.
fn found(mutant: Mutant) -> usize {
    (1..=100)
        .filter(|seed| play(*seed, mutant).orphan_debits > 0)
        .count()
}

#[test]
fn the_proof_finds_orphan_debits_if_a_request_is_sent_before_its_record_is_durable() {
    assert!(found(Mutant::SendsBeforeDurable) > 10);
}

#[test]
fn the_proof_finds_orphan_debits_if_a_restart_does_not_recover() {
    assert!(found(Mutant::RecoversNothing) > 10);
}

#[test]
fn the_proof_finds_wrong_outcomes_if_they_are_told_before_they_are_durable() {
    let wrong = (1..=100)
        .filter(|seed| play(*seed, Mutant::TellsBeforeDurable).wrong_outcomes > 0)
        .count();
    assert!(wrong > 10, "{wrong} of 100 seeds found it");
}
