//! The way of one message through the SMSCs of its route: which is next, and how many there were.
//!
//! It decides nothing about outcomes: whether the next one is asked for at all is the caller's
//! business.

use std::sync::Arc;

use super::{
    MessageRoute,
    smscs::{Member, Point, Tried},
};

/// The SMSCs that a message was offered to, and those that it may still be offered to.
#[derive(Clone, Debug)]
pub struct Plan {
    route: Arc<MessageRoute>,
    point: Point,
    tried: Tried,
}

impl Plan {
    /// A message that was offered to none yet. `turn` counts messages; it is asked for only where
    /// they are dealt out in turn.
    pub fn new(route: Arc<MessageRoute>, turn: impl FnOnce() -> u64, destination: &[u8]) -> Self {
        let point = route.smscs.point(turn, destination);
        Self {
            route,
            point,
            tried: 0,
        }
    }

    /// The route.
    pub fn route(&self) -> &Arc<MessageRoute> {
        &self.route
    }

    /// How many SMSCs the message was offered to.
    pub fn tried(&self) -> u8 {
        self.tried.count_ones() as u8
    }

    /// The next SMSC, which counts as tried from now on. `None` if no healthy one is left, or the
    /// message was offered to as many as the route allows.
    pub fn next(&mut self, is_healthy: impl FnMut(&str) -> bool) -> Option<&Arc<str>> {
        let index = self.peek(is_healthy)?;
        self.tried |= 1 << index;
        self.route.smscs.members().get(index).map(|own| &own.name)
    }

    /// Whether [`Self::next`] would give one.
    pub fn has_next(&self, is_healthy: impl FnMut(&str) -> bool) -> bool {
        self.peek(is_healthy).is_some()
    }

    /// An SMSC that was skipped because it was down is not used up: it may be up by now.
    fn peek(&self, mut is_healthy: impl FnMut(&str) -> bool) -> Option<usize> {
        if self.tried() > self.route.failover_max {
            return None;
        }
        let is_left = |(index, member): &(usize, &Member)| {
            self.tried & (1 << index) == 0 && is_healthy(&member.name)
        };
        let mut order = self.route.smscs.order(self.point);
        order.find(is_left).map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::route, *};

    fn plan(failover_max: u8) -> Plan {
        let route = MessageRoute {
            failover_max,
            ..route("all", &[""])
        };
        Plan::new(Arc::new(route), || 0, b"84901234567")
    }

    fn next(plan: &mut Plan, up: &str) -> Option<String> {
        let has_next = plan.has_next(|name| up.contains(name));
        let next = plan.next(|name| up.contains(name)).map(ToString::to_string);
        assert_eq!(has_next, next.is_some());
        next
    }

    #[test]
    fn each_healthy_smsc_is_offered_the_message_once() {
        let mut plan = plan(9);
        assert_eq!(next(&mut plan, "ac").as_deref(), Some("a"));
        assert_eq!(next(&mut plan, "ac").as_deref(), Some("c"));
        assert_eq!(next(&mut plan, "ac"), None);
        assert_eq!(plan.tried(), 2);
    }

    #[test]
    fn one_that_was_down_is_offered_it_once_it_is_up() {
        let mut plan = plan(9);
        assert_eq!(next(&mut plan, "c").as_deref(), Some("c"));
        assert_eq!(next(&mut plan, "abc").as_deref(), Some("a"));
    }

    #[test]
    fn no_more_than_the_allowed_number_of_further_smscs_is_tried() {
        let mut once = plan(0);
        assert_eq!(next(&mut once, "abc").as_deref(), Some("a"));
        assert_eq!(next(&mut once, "abc"), None);
        let mut twice = plan(1);
        assert_eq!(next(&mut twice, "abc").as_deref(), Some("a"));
        assert_eq!(next(&mut twice, "abc").as_deref(), Some("b"));
        assert_eq!(next(&mut twice, "abc"), None);
    }
}
