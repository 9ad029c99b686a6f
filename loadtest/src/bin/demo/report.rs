//! What is printed, on a hundred columns.

use std::fmt;

use crate::{
    compare::{Comparison, Section},
    networks::{Named, Networks},
    purchases::{SERVICE, Shop},
    settings::Addresses,
};

/// A number with its digits in groups of three.
pub(crate) struct Grouped(pub(crate) u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut grouped = String::with_capacity(digits.len() * 4 / 3);
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        f.pad(&grouped)
    }
}

/// Says who takes part.
pub(crate) fn opening(addresses: &Addresses, networks: &Networks, shop: &Shop) {
    println!(
        "Sampan runs: gRPC on {}, admin on {}",
        addresses.rpc, addresses.admin
    );
    for Named {
        name,
        temper,
        simulator,
        ..
    } in &networks.smscs
    {
        println!("  SMSC {name:<10} {:<16} {temper}", simulator.address());
    }
    for Named {
        name,
        temper,
        simulator,
        ..
    } in &networks.banks
    {
        println!("  bank {name:<10} {:<16} {temper}", simulator.address());
    }
    println!(
        "Commerce runs beside it: S2Sell on http://{}, subscribers write to {SERVICE}\n",
        shop.address()
    );
}

/// Prints the table and the verdict.
pub(crate) fn comparison(comparison: &Comparison) {
    println!();
    println!(
        "{:<10} {:<32} {:<44} verdict",
        "", "what callers were told", "what the books say"
    );
    comparison.sections.iter().for_each(section);
    println!();
    match comparison.differing() {
        0 => println!("All {} lines agree.", comparison.lines()),
        differing => println!("{differing} of {} lines DIFFER.", comparison.lines()),
    }
    for what in &comparison.missing {
        println!("Did not occur: {what}.");
    }
}

fn section(section: &Section) {
    println!("{}", section.title);
    for line in &section.lines {
        let verdict = match &line.difference {
            None => "agree".to_owned(),
            Some(difference) => format!("DIFFER: {difference}"),
        };
        println!(
            "  {:<8} {:<32} {:<44} {verdict}",
            line.what, line.told, line.books
        );
    }
}

/// Says what to try while it goes on.
pub(crate) fn addresses(Addresses { rpc, admin }: &Addresses, shop: &Shop) {
    println!(
        "
It goes on with a little traffic until ctrl-c. In another terminal:
  export SAMPAN_ADDRESS={rpc}
  cargo run -- links
  cargo run -- send --to 84981234567 'Hello from the river'
  cargo run -- charge --pan 9704360000000001 --amount 10000 --currency VND
  curl -s {admin}/metrics
Grafana: the Prometheus scrape configuration and the dashboard are in grafana/."
    );
    if let Some(agent) = shop.agent() {
        println!(
            "
Buy cards as agent {} does, with a key of this run; http://{shop}/docs/ describes the API:
  curl -s -H 'X-API-Key: {}' -d BUYCOUNT=2 http://{shop}/mcapi/s2sell/card/MOBI10",
            agent.name,
            agent.key.reveal(),
            shop = shop.address(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::Grouped;

    #[test]
    fn digits_are_grouped_from_the_right() {
        let grouped = [0, 999, 1_000, 123_456, 1_234_567].map(|n| Grouped(n).to_string());
        assert_eq!(grouped, ["0", "999", "1,000", "123,456", "1,234,567"]);
    }
}
