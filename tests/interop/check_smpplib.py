"""The PyPI package `smpplib` as a client of the SMSC simulator, so that the simulator does not only
agree with Sampan."""

import sys

import smpplib.client
import smpplib.consts
import smpplib.exceptions
import smpplib.gsm

import support
from support import check, check_equal, eventually

SOURCE = {"source_addr_ton": smpplib.consts.SMPP_TON_NWSPEC, "source_addr_npi": 0, "source_addr": "8049"}
DESTINATION = {"dest_addr_ton": smpplib.consts.SMPP_TON_INTL, "dest_addr_npi": 1, "destination_addr": "84981234567"}


class Esme:
    """A client that keeps what it is sent."""

    def __init__(self, port):
        self.client = smpplib.client.Client("127.0.0.1", port, timeout=support.LIMIT_S, allow_unknown_opt_params=False)
        self.sent, self.received, self.queried, self.errors = {}, [], [], []
        self.client.set_message_sent_handler(lambda pdu: self.sent.__setitem__(pdu.sequence, pdu.message_id))
        self.client.set_message_received_handler(lambda pdu: self.received.append(pdu))
        self.client.set_query_resp_handler(lambda pdu: self.queried.append(pdu))
        self.client.set_error_pdu_handler(lambda pdu: self.errors.append((pdu.command, pdu.status)))
        self.client.connect()

    def until(self, condition, what):
        """Reads one PDU after the other until the condition holds."""
        def step():
            if not condition():
                self.client.read_once(auto_send_enquire_link=False)
            return condition()
        return eventually(step, what)

    def submit(self, text, **given):
        """The SMSC's ids of the text's parts."""
        parts, coding, message_type = smpplib.gsm.make_parts(text)
        pdus = [self.client.send_message(short_message=part, data_coding=coding, esm_class=message_type,
                                         **SOURCE, **DESTINATION, **given) for part in parts]
        self.until(lambda: all(pdu.sequence in self.sent for pdu in pdus), "a submit_sm_resp for each part")
        return [self.sent[pdu.sequence].decode() for pdu in pdus]


def wrong_password(port, bind):
    esme = Esme(port)
    try:
        getattr(esme.client, bind)(system_id="sampan", password="mistake")
        refused = None
    except smpplib.exceptions.PDUError as error:
        refused = error.args[1]
    check_equal(refused, smpplib.consts.SMPP_ESME_RINVPASWD, f"{bind} with a wrong password is refused")
    esme.client.disconnect()


def script(cleanup, _):
    smsc = cleanup.add(support.Simulator("smsc", "--account", "sampan:secret", "--receipts-ms", "20",
                                         "--enquire-link-ms", "300"))
    for bind in ("bind_transmitter", "bind_receiver", "bind_transceiver"):
        wrong_password(smsc.port, bind)
    for bind in ("bind_transmitter", "bind_receiver"):
        esme = Esme(smsc.port)
        check_equal(getattr(esme.client, bind)(system_id="sampan", password="secret").system_id.rstrip(b"\0"),
                    b"SIMULATOR", f"{bind} is accepted")
        esme.client.unbind()
        esme.client.disconnect()

    esme = Esme(smsc.port)
    bound = esme.client.bind_transceiver(system_id="sampan", password="secret", interface_version=0x34)
    check_equal((bound.status, bound.sc_interface_version), (0, 0x34), "bind_transceiver is accepted and tells version 3.4")

    [message_id] = esme.submit("Your code is on its way €", registered_delivery=1)
    check(message_id, "a submit_sm is answered with an id")
    esme.until(lambda: esme.received, "a receipt")
    receipt = esme.received.pop()
    check_equal((receipt.esm_class & 0x3C, receipt.receipted_message_id.rstrip(b"\0").decode(), receipt.message_state),
                (4, message_id, 2), "its receipt says DELIVERED by its TLVs")
    check(f"id:{message_id} ".encode() in receipt.short_message and b"stat:DELIVRD" in receipt.short_message,
          "and by its text")

    esme.client.query_message(message_id=message_id, **SOURCE)
    esme.until(lambda: esme.queried, "a query_sm_resp")
    answer = esme.queried.pop()
    check_equal((answer.message_id.rstrip(b"\0").decode(), answer.message_state, answer.error_code), (message_id, 2, 0),
                "query_sm tells the state DELIVERED")
    esme.client.query_message(message_id="999999", **SOURCE)
    esme.until(lambda: esme.errors, "an error of query_sm")
    check_equal(esme.errors.pop(), ("query_sm_resp", smpplib.consts.SMPP_ESME_RQUERYFAIL), "an unknown id is ESME_RQUERYFAIL")

    ids = esme.submit("Bạn vừa nạp 50.000đ vào tài khoản. " * 5)
    check(len(ids) == len(set(ids)) > 1, f"a long UCS-2 text of {len(ids)} parts gets an id per part")

    smsc.say("mo 84981234567 8049 Nạp 50")
    esme.until(lambda: esme.received, "an MO")
    mo = esme.received.pop()
    check_equal((mo.source_addr, mo.destination_addr, mo.short_message.decode("utf-16-be")),
                (b"84981234567", b"8049", "Nạp 50"), "an MO is read with its addresses and text")

    enquiries = []
    esme.client._enquire_link_received = lambda pdu, answer=esme.client._enquire_link_received: (enquiries.append(pdu), answer(pdu))
    esme.until(lambda: len(enquiries) >= 2, "two enquire_link of the SMSC")
    check(True, "enquire_link of the SMSC is read and answered, and the link stays")
    esme.client.send_pdu(smpplib.smpp.make_pdu("enquire_link", client=esme.client))
    check_equal(esme.client.read_pdu().command, "enquire_link_resp", "enquire_link of the client is answered")
    check_equal(esme.client.unbind().command, "unbind_resp", "unbind is answered")
    esme.client.disconnect()

    smsc.say("books")
    smsc.stop()
    books = []
    while not smsc.lines.empty():
        books.append(smsc.lines.get())
    print("\n".join(f"     {line}" for line in books[:12]))


if __name__ == "__main__":
    sys.exit(support.main(script))
