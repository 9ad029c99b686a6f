//! How a session begins.

use super::*;

#[test]
fn each_kind_of_bind_leads_to_its_own_state_on_both_ends() {
    for (kind, state) in [
        (BindKind::Transmitter, State::BoundTx),
        (BindKind::Receiver, State::BoundRx),
        (BindKind::Transceiver, State::BoundTrx),
    ] {
        let mut pair = Pair::connected(kind, Admission::Anyone);
        assert_eq!((pair.esme.state(), pair.smsc.state()), (state, state));
        let system_id = COctetString::new("SMSC").unwrap();
        let interface_version = Some(0x34);
        let bound = Event::Bound {
            kind,
            system_id,
            interface_version,
        };
        assert_eq!(events(&mut pair.esme), [bound]);
    }
}

#[test]
fn a_wrong_password_and_an_unknown_name_are_told_apart_and_close_the_session() {
    let account = |system_id: &str, password: &str| Account {
        system_id: COctetString::new(system_id).unwrap(),
        password: Password::new(password).unwrap(),
    };
    for (account, status) in [
        (account("shop", "other"), CommandStatus::ESME_RINVPASWD),
        (account("bank", "secret"), CommandStatus::ESME_RINVSYSID),
    ] {
        let admission = Admission::Accounts(vec![account]);
        let mut pair = Pair::connected(BindKind::Transmitter, admission);
        let class = BindRefusal::Credentials;
        let closed = CloseReason::BindRefused(status);
        assert_eq!(closed.fault(), Fault::Settings);
        assert_eq!(
            events(&mut pair.esme),
            [Event::BindRefused { status, class }, Event::Closed(closed)]
        );
        assert_eq!(pair.smsc.state(), State::Open);
    }
}

#[test]
fn already_bound_is_its_own_class_of_refusal() {
    let status = CommandStatus::ESME_RALYBND;
    let mut pair = Pair::connected(BindKind::Transceiver, Admission::Refuse(status));
    let class = BindRefusal::AlreadyBound;
    assert_eq!(
        events(&mut pair.esme)[0],
        Event::BindRefused { status, class }
    );
}

#[test]
fn a_bind_response_without_a_body_or_with_an_unreadable_one_still_binds() {
    let now = Instant::now();
    let mut long_name = BytesMut::from(&[0, 0, 0, 37, 0x80, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1][..]);
    long_name.extend_from_slice(b"a-name-beyond-16-oct\0");
    let bare = BytesMut::from(&[0, 0, 0, 16, 0x80, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1][..]);
    for mut input in [bare, long_name] {
        let mut session = esme(BindKind::Transceiver);
        session.connected(now);
        session.receive(now, &mut input, 1);
        assert_eq!(session.state(), State::BoundTrx);
        let bound = events(&mut session).pop().unwrap();
        assert!(matches!(
            bound,
            Event::Bound {
                interface_version: None,
                ..
            }
        ));
    }
}

#[test]
fn a_bind_without_an_answer_times_out() {
    let now = Instant::now();
    let mut session = esme(BindKind::Transmitter);
    session.connected(now);
    let deadline = session.next_timeout().unwrap();
    assert_eq!(deadline, now + limits().bind_timeout);
    session.handle_timeout(deadline - Duration::from_millis(1));
    assert_eq!(events(&mut session), []);
    session.handle_timeout(deadline);
    let closed = Event::Closed(CloseReason::BindTimeout(limits().bind_timeout));
    assert_eq!(events(&mut session), [closed]);
    assert_eq!(session.next_timeout(), None);
}

#[test]
fn deliver_sm_before_and_glued_to_bind_resp_is_delivered() {
    let now = Instant::now();
    let mut session = esme(BindKind::Transceiver);
    session.connected(now);
    let deliver = DeliverSm::default();
    let response = BindResp {
        kind: BindKind::Transceiver,
        system_id: COctetString::EMPTY,
        tlvs: Tlvs::EMPTY,
    };
    let mut segment = pdu(&deliver, 7, OK);
    segment.unsplit(pdu(&response, 1, OK));
    segment.unsplit(pdu(&deliver, 8, OK));
    session.receive(now, &mut segment, usize::MAX);
    let numbers: Vec<_> = events(&mut session)
        .into_iter()
        .map(|event| match event {
            Event::Deliver { sequence, .. } => sequence,
            Event::Bound { .. } => 0,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(numbers, [7, 0, 8]);
}

#[test]
fn outbind_is_answered_by_a_bind() {
    let now = Instant::now();
    let (mut session, mut peer) = (esme(BindKind::Receiver), smsc(Admission::Anyone));
    session.connected_for_outbind(now);
    peer.connected(now);
    assert_eq!(written(&mut session), []);
    let outbind = Outbind {
        system_id: COctetString::new("SMSC").unwrap(),
        password: Password::new("pw").unwrap(),
    };
    let sequence = peer.take_sequence();
    peer.request(sequence, &outbind).unwrap();
    session.receive(now, peer.output(), 1);
    assert_eq!(events(&mut session), [Event::Outbind(outbind)]);
    peer.receive(now, session.output(), 1);
    session.receive(now, peer.output(), 1);
    assert_eq!(session.state(), State::BoundRx);
}

#[test]
fn generic_nack_of_the_bind_is_a_refusal() {
    let now = Instant::now();
    let mut session = esme(BindKind::Transceiver);
    session.connected(now);
    let status = CommandStatus::ESME_RINVCMDID;
    session.receive(now, &mut pdu(&crate::smpp::pdu::GenericNack, 1, status), 1);
    assert_eq!(
        events(&mut session)[1],
        Event::Closed(CloseReason::BindRefused(status))
    );
}

#[test]
fn a_request_before_the_bind_is_refused() {
    let now = Instant::now();
    let mut session = smsc(Admission::Anyone);
    session.connected(now);
    session.receive(now, &mut pdu(&submit_sm(), 1, OK), 1);
    let refused = (CommandId::SUBMIT_SM_RESP, CommandStatus::ESME_RINVBNDSTS, 1);
    assert_eq!(written(&mut session), [refused]);
}

#[test]
fn a_second_bind_on_one_session_is_refused() {
    let mut pair = Pair::bound(BindKind::Transceiver);
    let mut again = pdu(&bind(BindKind::Receiver), 9, OK);
    pair.smsc.receive(pair.now, &mut again, 1);
    let refused = (
        CommandId::BIND_RECEIVER_RESP,
        CommandStatus::ESME_RALYBND,
        9,
    );
    assert_eq!(written(&mut pair.smsc), [refused]);
    assert_eq!(pair.smsc.state(), State::BoundTrx);
}
