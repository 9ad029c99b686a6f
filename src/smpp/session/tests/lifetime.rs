//! How a session stays alive and how it ends.

use super::*;

#[test]
fn enquire_link_is_sent_only_when_nothing_was_received_for_its_period() {
    let now = Instant::now();
    let second = Duration::from_secs(1);
    let mut session = bound_esme(now);
    // Our own writes are no sign of the peer's life.
    let sequence = session.take_sequence();
    session.request(sequence, &submit_sm()).unwrap();
    written(&mut session);
    session.handle_timeout(now + 29 * second);
    assert_eq!(written(&mut session), []);
    session.receive(now + 29 * second, &mut pdu(&DeliverSm::default(), 1, OK), 1);
    session.handle_timeout(now + 58 * second);
    assert_eq!(written(&mut session), []);
    session.handle_timeout(now + 59 * second);
    assert_eq!(written(&mut session), [(CommandId::ENQUIRE_LINK, OK, 3)]);
}

#[test]
fn any_pdu_after_the_enquire_link_proves_life() {
    let now = Instant::now();
    let second = Duration::from_secs(1);
    let mut session = bound_esme(now);
    session.handle_timeout(now + 30 * second);
    session.receive(now + 59 * second, &mut pdu(&DeliverSm::default(), 1, OK), 1);
    events(&mut session);
    session.handle_timeout(now + 60 * second);
    assert_eq!(session.state(), State::BoundTrx);
    assert_eq!(session.next_timeout(), Some(now + 89 * second));
}

#[test]
fn a_peer_silent_for_two_periods_is_dead() {
    let now = Instant::now();
    let second = Duration::from_secs(1);
    let mut session = bound_esme(now);
    session.handle_timeout(now + 30 * second);
    session.handle_timeout(now + 59 * second);
    assert_eq!(session.state(), State::BoundTrx);
    session.handle_timeout(now + 60 * second);
    let silent = CloseReason::PeerSilent(60 * second);
    assert_eq!(silent.fault(), Fault::Peer);
    assert_eq!(events(&mut session), [Event::Closed(silent)]);
}

#[test]
fn a_silent_peer_is_unbound_before_the_connection_is_closed() {
    let now = Instant::now();
    let second = Duration::from_secs(1);
    let mut session = bound_esme(now);
    session.handle_timeout(now + 30 * second);
    session.handle_timeout(now + 60 * second);
    let said = [(CommandId::ENQUIRE_LINK, OK, 2), (CommandId::UNBIND, OK, 3)];
    assert_eq!(written(&mut session), said);
}

#[test]
fn a_clock_that_jumps_over_two_periods_still_asks_first() {
    let now = Instant::now();
    let mut session = bound_esme(now);
    session.handle_timeout(now + Duration::from_secs(500));
    assert_eq!(session.state(), State::BoundTrx);
    assert_eq!(written(&mut session).len(), 1);
}

#[test]
fn two_idle_ends_keep_each_other_alive() {
    let mut pair = Pair::bound(BindKind::Transceiver);
    pair.pass(Duration::from_secs(3600));
    assert_eq!(
        (pair.esme.state(), pair.smsc.state()),
        (State::BoundTrx, State::BoundTrx)
    );
    assert_eq!(
        (events(&mut pair.esme), events(&mut pair.smsc)),
        (vec![], vec![])
    );
}

#[test]
fn our_unbind_reads_on_until_it_is_answered() {
    let now = Instant::now();
    let mut session = bound_esme(now);
    session.unbind(now);
    assert_eq!(written(&mut session), [(CommandId::UNBIND, OK, 2)]);
    assert_eq!(session.state(), State::Unbinding);
    assert!(session.request(Sequence::FIRST, &submit_sm()).is_err());
    session.receive(now, &mut pdu(&SubmitSmResp::default(), 5, OK), 1);
    session.receive(now, &mut pdu(&DeliverSm::default(), 9, OK), 1);
    session.respond(9, OK, &DeliverSmResp::default());
    assert_eq!(written(&mut session), [(CommandId::DELIVER_SM_RESP, OK, 9)]);
    session.receive(now, &mut pdu(&crate::smpp::pdu::UnbindResp, 2, OK), 1);
    let seen = events(&mut session);
    assert!(matches!(
        seen[..],
        [
            Event::Response { sequence: 5, .. },
            Event::Deliver { sequence: 9, .. },
            Event::Closed(CloseReason::Unbound)
        ]
    ));
}

#[test]
fn our_unbind_without_an_answer_ends_with_the_grace() {
    let now = Instant::now();
    let mut session = bound_esme(now);
    session.unbind(now);
    session.handle_timeout(now + limits().unbind_grace);
    let closed = Event::Closed(CloseReason::UnbindUnanswered(limits().unbind_grace));
    assert_eq!(events(&mut session), [closed]);
}

#[test]
fn the_peers_unbind_is_answered_and_what_is_in_flight_is_still_matched() {
    let mut pair = Pair::bound(BindKind::Transceiver);
    let sequence = pair.esme.take_sequence();
    pair.esme.request(sequence, &submit_sm()).unwrap();
    pair.smsc.unbind(pair.now);
    pair.exchange();
    assert_eq!(events(&mut pair.esme), [Event::PeerUnbinding]);
    assert!(pair.esme.request(Sequence::FIRST, &submit_sm()).is_err());
    let mut late = pdu(&SubmitSmResp::default(), sequence.get(), OK);
    pair.esme.receive(pair.now, &mut late, 1);
    assert!(matches!(
        events(&mut pair.esme)[..],
        [Event::Response { .. }]
    ));
    pair.pass(limits().unbind_grace);
    assert_eq!(
        events(&mut pair.esme),
        [Event::Closed(CloseReason::PeerUnbound)]
    );
}

#[test]
fn two_unbinds_that_cross_end_both_sessions_in_good_order() {
    let mut pair = Pair::bound(BindKind::Transceiver);
    pair.esme.unbind(pair.now);
    pair.smsc.unbind(pair.now);
    pair.exchange();
    let closed = [Event::Closed(CloseReason::Unbound)];
    assert_eq!(events(&mut pair.esme), closed);
    assert_eq!(events(&mut pair.smsc), closed);
}
