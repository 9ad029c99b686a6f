//! Why a message takes the way that it takes, in words: the same look-up as for a real one, told
//! step by step. It repeats the configuration's words, and nothing of the message.

use std::sync::Arc;

use super::{Asked, Choice, MessageRoute, NoRoute, Plan, Routes};

/// Routes that are told one by one. More of them have a prefix of one number only in a file that a
/// program wrote.
const ROUTES_TOLD_MAX: usize = 100;

/// Whether an SMSC takes messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// A bind is up.
    Up,
    /// Binds are up, and all of them pause because the SMSC wants less: what they get waits.
    Paused,
    /// No bind is up.
    Down,
}

/// What would become of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The route that serves it.
    pub route: Result<Arc<str>, NoRoute>,
    /// The SMSCs that it would be offered to, in their order.
    pub smscs: Vec<Arc<str>>,
    /// What was looked at and what was found, a line each.
    pub steps: Vec<String>,
}

impl Routes {
    /// Tells which route a message takes and why, and which of its SMSCs. `turn` is that of the
    /// message where they are dealt out in turn.
    pub fn explain(
        &self,
        asked: &Asked<'_>,
        turn: u64,
        health: &dyn Fn(&str) -> Health,
    ) -> Explanation {
        let mut steps = Vec::new();
        if asked.message().route.is_empty() {
            self.tell_prefixes(asked, &mut steps);
        }
        let chosen = self.choose(asked);
        let mut smscs = Vec::new();
        match chosen {
            Ok(route) => {
                let name = &route.name;
                match asked.message().route.is_empty() {
                    true => steps.push(format!("route {name}: chosen")),
                    false => steps.push(format!("route {name}: chosen, because it is named")),
                }
                smscs = tell_smscs(route, asked, turn, health, &mut steps);
            }
            Err(refusal) => steps.push(format!("no route: {}", refusal.told(asked.message()))),
        }
        Explanation {
            route: chosen.map(|route| Arc::clone(&route.name)),
            smscs,
            steps,
        }
    }

    fn tell_prefixes(&self, asked: &Asked<'_>, steps: &mut Vec<String>) {
        let number = asked.message().destination.addr.as_bytes();
        let digits = number.strip_prefix(b"+").unwrap_or(number);
        for (told, (length, route)) in self.with_prefix_of(number).enumerate() {
            if told == ROUTES_TOLD_MAX {
                steps.push("further routes: not told".into());
                return;
            }
            let prefix = digits.get(..usize::from(length)).unwrap_or_default();
            let prefix = String::from_utf8_lossy(prefix);
            let found = match route.conditions.unmet(asked) {
                Some(unmet) => format!("not taken: {unmet}"),
                None if route.conditions.count() == 0 => "it has no conditions".into(),
                None => "every condition is met".into(),
            };
            let taken = route.conditions.unmet(asked).is_none();
            steps.push(format!("route {}: prefix {prefix:?}, {found}", route.name));
            if taken {
                return;
            }
        }
    }
}

fn tell_smscs(
    route: &Arc<MessageRoute>,
    asked: &Asked<'_>,
    turn: u64,
    health: &dyn Fn(&str) -> Health,
    steps: &mut Vec<String>,
) -> Vec<Arc<str>> {
    let choice = route.smscs.choice();
    let further = match route.failover_max {
        0 => "none".to_owned(),
        most => format!("at most {most}"),
    };
    steps.push(format!(
        "choice: {choice}; further SMSCs after one that does not take it: {further}"
    ));
    let destination = asked.message().destination.addr.as_bytes();
    let mut plan = Plan::new(Arc::clone(route), || turn, destination);
    let point = route.smscs.point(|| turn, destination);
    let mut smscs = Vec::new();
    for (_, member) in route.smscs.order(point) {
        let name = &member.name;
        let mut line = format!("smsc {name}: ");
        if let Choice::Weighted(_) = choice {
            line += &format!("weight {}, ", member.weight);
        }
        if let Some(cost) = member.cost {
            line += &format!("cost {cost}, ");
        }
        let health = health(name);
        let next = match health {
            Health::Down => None,
            Health::Up | Health::Paused => plan.next(|other| *other == **name),
        };
        line += match health {
            Health::Down => "no bind is up: skipped",
            Health::Up => "up",
            Health::Paused => "up, every bind pauses because the SMSC wants less",
        };
        match (health, next) {
            (Health::Down, _) => {}
            (_, None) => line += ", but not tried: failover_max",
            (_, Some(_)) => {
                smscs.push(Arc::clone(name));
                line += &format!(": number {}", smscs.len());
            }
        }
        steps.push(line);
    }
    if smscs.is_empty() {
        steps.push("no SMSC of the route has a bind that is up: NOT_SENT".into());
    }
    smscs
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Member, SmscSet, Sticky, testing::*},
        *,
    };
    use crate::client::ClientName;

    fn explain(routes: Vec<MessageRoute>, name: &str, up: &str) -> Explanation {
        let client = ClientName::parse("shop").unwrap();
        let mut message = message("84901234567", "1234 is your PIN");
        message.route = name.into();
        let asked = Asked::new(&client, &message);
        Routes::new(routes, vec![]).explain(&asked, 0, &|name| match (up.contains(name), name) {
            (false, _) => Health::Down,
            (true, PAUSED) => Health::Paused,
            (true, _) => Health::Up,
        })
    }

    /// An SMSC whose binds pause, if it is up.
    const PAUSED: &str = "c";

    fn names(explanation: &Explanation) -> Vec<&str> {
        explanation.smscs.iter().map(|name| &**name).collect()
    }

    #[test]
    fn each_route_that_was_looked_at_is_told_with_the_condition_that_failed() {
        let told = explain(
            vec![
                route("vietnam", &["84"]),
                with_keywords(route("otp", &["84"]), &["otp"]),
                with_clients(route("mobifone", &["8490"]), &["bank"]),
                route("laos", &["856"]),
            ],
            "",
            "ac",
        );
        assert_eq!(told.route.as_deref(), Ok("vietnam"));
        assert_eq!(names(&told), ["a", "c"]);
        assert_eq!(
            told.steps,
            [
                "route mobifone: prefix \"8490\", not taken: the client is not bank",
                "route otp: prefix \"84\", not taken: the first word is not otp",
                "route vietnam: prefix \"84\", it has no conditions",
                "route vietnam: chosen",
                "choice: ordered; further SMSCs after one that does not take it: at most 2",
                "smsc a: up: number 1",
                "smsc b: no bind is up: skipped",
                "smsc c: up, every bind pauses because the SMSC wants less: number 2",
            ]
        );
    }

    #[test]
    fn weights_costs_and_the_cap_are_told() {
        let member = |name: &str, weight, cost| Member {
            name: name.into(),
            weight,
            cost,
        };
        let members = vec![member("a", 70, Some(120)), member("b", 0, None)];
        let route = MessageRoute {
            smscs: SmscSet::new(Choice::Weighted(Sticky::Destination), members),
            failover_max: 0,
            ..route("vietnam", &["84"])
        };
        let told = explain(vec![route], "vietnam", "ab");
        assert_eq!(names(&told), ["a"]);
        assert_eq!(
            told.steps,
            [
                "route vietnam: chosen, because it is named",
                "choice: weighted, the same for the same destination; \
                 further SMSCs after one that does not take it: none",
                "smsc a: weight 70, cost 120, up: number 1",
                "smsc b: weight 0, up, but not tried: failover_max",
            ]
        );
    }

    #[test]
    fn a_message_without_a_way_is_told_why() {
        let told = explain(vec![route("laos", &["856"])], "", "a");
        assert_eq!(told.route, Err(NoRoute::NoPrefix));
        assert_eq!(told.steps.len(), 1);
        let told = explain(vec![route("vietnam", &["84"])], "", "");
        assert_eq!(names(&told), [""; 0]);
        let last = told.steps.last().map(String::as_str);
        let expected = "no SMSC of the route has a bind that is up: NOT_SENT";
        assert_eq!(last, Some(expected));
    }

    #[test]
    fn nothing_of_the_message_is_told_but_the_prefix() {
        let told = explain(
            vec![with_keywords(route("otp", &["8490"]), &["otp"])],
            "",
            "a",
        );
        let steps = told.steps.join("\n");
        assert!(steps.contains("8490"), "{steps}");
        assert!(
            !steps.contains("84901234567") && !steps.contains("PIN"),
            "{steps}"
        );
    }
}
