"""The npm package `smpp` as SMSC: Sampan binds to it twice, sends 10,000 messages through two
windows whose answers come in any order, hands MO and receipts to a gRPC client, and survives the
SMSC's unbind and death."""

import collections
import queue
import shutil
import sys
import threading

import support
from support import CheckFailed, check, check_equal, eventually

MESSAGES = 10_000
BATCH = 100
UNANSWERED_MAX = 4_000
BINDS = 2
WINDOW = 64
RECEIPT_EVERY = 50
REDELIVER_AFTER_MS = 3_000

GSM_EXTENSION = "^{}\\[~]|€ @£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà"
VIETNAMESE = "Bạn vừa nạp 50.000đ vào tài khoản. Số dư: 1.234.567đ"

CONFIGURATION = """
[inbox]
redeliver_after_ms = {redeliver_after_ms}

[[smsc]]
name = "npm"
address = "127.0.0.1:{port}"
binds = {binds}
system_id = "sampan"
password = "secret"
window = {window}
enquire_link_ms = 400
reconnect_min_ms = 50
reconnect_max_ms = 400

[[smsc]]
name = "wrong"
address = "127.0.0.1:{port}"
system_id = "sampan"
password = "mistake"

[[message_route]]
name = "npm"
prefixes = ["84"]
smscs = ["npm"]
default_source = "8049"

[[message_route]]
name = "wrong"
smscs = ["wrong"]
default_source = "8049"
"""


def start_smsc(cleanup, port=0):
    """The SMSC and its port, the one that was asked for unless that was 0."""
    node = shutil.which("node")
    if node is None:
        raise CheckFailed("node is missing: install the Debian packages nodejs and npm")
    folder = support.ROOT / "tests/interop/smpp-smsc"
    command = [node, str(folder / "server.js"), str(port), "sampan", "secret"]
    smsc = cleanup.add(support.Json("npm smpp", command))
    return smsc, support.json.loads(smsc.line())["port"]


class Submitter:
    """A SubmitStream that is fed by the script and counts what is told of each request."""

    def __init__(self, api, messaging):
        self.api = api
        self.batches = queue.Queue()
        self.results = collections.defaultdict(list)
        self.room = threading.Semaphore(UNANSWERED_MAX)
        self.told = 0
        self.call = messaging.SubmitStream(iter(self.batches.get, None))
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for results in self.call:
            for result in results.results:
                self.results[result.request_id].append(result)
                self.told += 1
                self.room.release()

    def submit(self, requests):
        for _ in requests:
            if not self.room.acquire(timeout=support.LIMIT_S):
                raise CheckFailed(f"no outcome for {support.LIMIT_S} s while {UNANSWERED_MAX} are unanswered")
        self.batches.put(self.api.messaging.SubmitBatch(requests=requests))

    def finish(self):
        """Half-closes and waits for the end of the answers."""
        self.batches.put(None)
        self.reader.join(support.LIMIT_S)
        return self.call.code()


class Receiver:
    """A Receive stream. It acknowledges at once, or when the script says so."""

    def __init__(self, api, messaging):
        self.api = api
        self.requests = queue.Queue()
        self.events = queue.Queue()
        self.receipts = []
        self.requests.put(api.messaging.ReceiveRequest(subscribe=api.messaging.Subscribe()))
        self.call = messaging.Receive(iter(self.requests.get, None))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for batch in self.call:
                for event in batch.events:
                    if event.HasField("receipt"):
                        self.receipts.append(event)
                        self.acknowledge(event)
                    else:
                        self.events.put(event)
        except support.grpc.RpcError:
            # The script ended the call, or the router did; what is missing then fails a check.
            return

    def acknowledge(self, event):
        messages = self.api.messaging
        acknowledge = messages.Acknowledge(delivery_ids=[event.delivery_id])
        self.requests.put(messages.ReceiveRequest(acknowledge=acknowledge))

    def message(self):
        try:
            return self.events.get(timeout=support.LIMIT_S)
        except queue.Empty:
            raise CheckFailed(f"no MO was received within {support.LIMIT_S} s") from None


def text_of(number):
    kind = number % 4
    if kind == 0:
        return f"Your code is on its way, order {number}"
    if kind == 1:
        return f"{number}: {GSM_EXTENSION}"
    if kind == 2:
        return f"{number}: {VIETNAMESE}"
    return f"{number}: 5 € [và] {{}} | ~"


def request(api, number, text, **given):
    messages = api.messaging
    return messages.SubmitRequest(
        request_id=f"m-{number}",
        destination=messages.Address(number=f"8498{number:07}"),
        text=text,
        **given,
    )


def ten_thousand(api, messaging, smsc):
    texts = {f"m-{number}": text_of(number) for number in range(MESSAGES)}
    submitter = Submitter(api, messaging)
    for first in range(0, MESSAGES, BATCH):
        numbers = range(first, first + BATCH)
        submitter.submit([
            request(api, n, texts[f"m-{n}"], receipt=n % RECEIPT_EVERY == 0) for n in numbers
        ])
    eventually(lambda: submitter.told >= MESSAGES, "an outcome for each of 10,000 messages", 120)
    check_equal(submitter.finish(), support.grpc.StatusCode.OK, "the stream of 10,000 ended with OK")

    accepted = api.outcome.OUTCOME_ACCEPTED
    told = submitter.results
    check_equal({len(results) for results in told.values()}, {1}, "each request got exactly one outcome")
    check_equal(set(told), set(texts), "each outcome has the id of a request")
    check(all(r[0].outcome == accepted and len(r[0].message_ids) == 1 for r in told.values()),
          "all 10,000 are ACCEPTED with one message id")
    books = smsc.ask("books")["booked"]
    booked = {entry["id"]: entry for entry in books}
    check_equal(len(books), MESSAGES, "the SMSC booked 10,000 messages and none twice")
    check(all(booked[r[0].message_ids[0]]["text"].encode() == texts[name].encode() for name, r in told.items()),
          "each id that was told is the SMSC's for that very text, byte for byte "
          "(GSM 03.38 with its extension table, UCS-2 Vietnamese)")
    check_equal({entry["coding"] for entry in books}, {0, 8}, "both data_coding 0 and 8 were sent")
    shares = collections.Counter(entry["bind"] for entry in books)
    check(len(shares) == BINDS and min(shares.values()) > MESSAGES // 10, f"both binds carried messages: {dict(shares)}")
    counts = smsc.ask("counts")
    check(counts["overtakes"] > MESSAGES // 10, f"{counts['overtakes']} answers overtook another")
    check(1 < counts["inFlightMax"] <= WINDOW,
          f"up to {counts['inFlightMax']} of a window of {WINDOW} were in flight on a bind")


def long_messages(api, messaging, smsc):
    # GSM 03.38 travels unpacked, one septet per octet, so 153 septets and the header are 159 octets.
    for number, (text, octets_max) in enumerate([
        ("".join(f"{n:04}€[long]" for n in range(30)), 159), (VIETNAMESE * 3, 140),
    ], start=20_000):
        before = smsc.ask("counts")["submits"]
        result = messaging.Submit(request(api, number, text), timeout=20)
        check_equal((api.outcome_name(result.outcome), result.parts, len(result.message_ids)), ("ACCEPTED", 3, 3),
                    f"a text of {len(text)} characters is ACCEPTED as 3 parts with 3 ids")
        parts = smsc.ask("books")["booked"][before:]
        by_id = {part["id"]: part for part in parts}
        in_order = [by_id[message_id] for message_id in result.message_ids]
        headers = [bytes.fromhex(part["header"][0]) for part in in_order]
        check([(h[0], h[1], h[3], h[4]) for h in headers] == [(0, 3, 3, n) for n in (1, 2, 3)]
              and len({h[2] for h in headers}) == 1,
              "the parts have one reference, and their ids are told in their order")
        check(all(part["esmClass"] == 0x40 and len(part["octets"]) // 2 <= octets_max for part in parts),
              f"each part announces its header and has at most {octets_max} octets")
        check_equal("".join(part["text"] for part in in_order), text, "the SMSC reassembles the text")


def mobile_originated(api, receiver, smsc):
    for text in ("NAP 50000", VIETNAMESE):
        before = smsc.ask("counts")
        smsc.ask("mo", source="84981234567", destination="8049", text=text)
        event = receiver.message()
        check_equal((event.message.text, event.source.number, event.destination.number, event.smsc),
                    (text, "84981234567", "8049", "npm"), "an MO is received with its text and addresses")
        check_equal(smsc.ask("enquire")["statuses"], [0] * BINDS, "enquire_link of the SMSC is answered on each bind")
        eventually(lambda: smsc.ask("counts")["delivered"] == before["delivered"] + 1,
                   "a deliver_sm_resp although the subscriber has not acknowledged it")
        check_equal(smsc.ask("deliveries")["deliveries"][-1]["statuses"], [0],
                    "it is answered ESME_ROK, once, because it is kept until it is acknowledged")
        receiver.acknowledge(event)

    smsc.ask("mo", source="84981234567", destination="8049", text="once more")
    first = receiver.message()
    second = receiver.message()
    check_equal([(event.message.text, event.redelivered) for event in (first, second)],
                [("once more", False), ("once more", True)],
                "an MO that was not acknowledged in time comes again, marked as redelivered")
    receiver.acknowledge(second)
    check_equal(smsc.ask("deliveries")["deliveries"][-1]["statuses"], [0],
                "the SMSC sent it once, and was told ESME_ROK")


def receipts(api, receiver, smsc):
    wanted = MESSAGES // RECEIPT_EVERY
    def all_acknowledged():
        of_receipts = [d for d in smsc.ask("deliveries")["deliveries"] if d["kind"] == "receipt"]
        return len(of_receipts) == wanted and all(d["statuses"][-1:] == [0] for d in of_receipts)
    eventually(all_acknowledged, "each receipt answered ESME_ROK in the end")
    booked = {entry["id"] for entry in smsc.ask("books")["booked"]}
    ids = {event.receipt.message_id for event in receiver.receipts}
    check(len(ids) == wanted and ids <= booked, f"{wanted} receipts came by Receive with the SMSC's ids, and were acknowledged")
    delivered = api.messaging.MESSAGE_STATE_DELIVERED
    check(all(e.receipt.state == delivered and e.receipt.error == "000" and e.receipt.submit_date == "260102030400"
              for e in receiver.receipts), "receipts tell state, error and dates")


def wrong_password(api, messaging, links, smsc):
    link = eventually(lambda: next((l for l in api.links_of(links, "wrong") if l.last_error), None),
                      "an error of the bind with the wrong password")
    check("ESME_RINVPASWD" in link.last_error and "password" in link.last_error,
          f"a wrong password is told to the operator: {link.last_error}")
    check_equal(smsc.ask("counts")["refused"], 1, "the SMSC refused one bind, which is not repeated at once")
    result = messaging.Submit(request(api, 30_000, "x", route="wrong"), timeout=10)
    check_equal((api.outcome_name(result.outcome), api.reason_name(result.reason), result.retry_is_safe),
                ("NOT_SENT", "NO_LINK", True), "a message for that SMSC is NOT_SENT NO_LINK")


def accepted_again(api, messaging, number, what):
    result = messaging.Submit(request(api, number, "back again"), timeout=20)
    check_equal(api.outcome_name(result.outcome), "ACCEPTED", what)


def rebinds(api, messaging, links, smsc):
    before = smsc.ask("counts")["binds"]
    check_equal(smsc.ask("unbind")["statuses"], [0] * BINDS, "unbind of the SMSC is answered on each bind")
    eventually(lambda: smsc.ask("counts")["bound"] == BINDS, "binds after the SMSC's unbind")
    check_equal(smsc.ask("counts")["binds"], before + BINDS, "the router bound again by itself")
    eventually(lambda: api.all_up(links, "npm"), "both links UP")
    accepted_again(api, messaging, 40_000, "and messages go out again")


def killed(api, messaging, links, smsc, cleanup, port):
    smsc.ask("hold", on=True)
    before = smsc.ask("counts")["submits"]
    submitter = Submitter(api, messaging)
    for first in range(50_000, 50_500, BATCH):
        submitter.submit([request(api, n, "held", deadline_ms=60_000) for n in range(first, first + BATCH)])
    in_flight = BINDS * WINDOW
    eventually(lambda: smsc.ask("counts")["submits"] == before + in_flight, f"{in_flight} messages in flight")
    smsc.kill()
    eventually(lambda: submitter.told >= 500, "an outcome for each message after the SMSC was killed")
    submitter.finish()
    results = [told for told in submitter.results.values()]
    check(len(results) == 500 and all(len(told) == 1 for told in results),
          "the SMSC was killed: each of 500 messages has exactly one outcome")
    tally = collections.Counter(
        (api.outcome_name(r[0].outcome), api.reason_name(r[0].reason), r[0].retry_is_safe) for r in results)
    check_equal(tally, {("UNKNOWN", "LINK_LOST", False): in_flight, ("NOT_SENT", "NO_LINK", True): 500 - in_flight},
                "what it had seen is UNKNOWN and not safe to retry, the rest NOT_SENT and safe")
    check(all(link.state != api.links.LINK_STATE_UP for link in api.links_of(links, "npm")), "no link is UP")
    smsc, _ = start_smsc(cleanup, port)
    eventually(lambda: api.all_up(links, "npm"), "links UP after the SMSC's restart")
    check_equal(smsc.ask("counts")["bound"], BINDS, "the links came back by themselves after its restart")
    accepted_again(api, messaging, 60_000, "and messages go out again")
    return smsc


def script(cleanup, scratch):
    api = support.Api(scratch)
    smsc, port = start_smsc(cleanup)
    router = cleanup.add(support.Router(scratch, CONFIGURATION.format(
        port=port, binds=BINDS, window=WINDOW, redeliver_after_ms=REDELIVER_AFTER_MS)))
    messaging, _, links = api.clients(support.connect(router))
    eventually(lambda: api.all_up(links, "npm"), "both links UP")
    check_equal(smsc.ask("counts")["bound"], BINDS, "two transceivers are bound")
    wrong_password(api, messaging, links, smsc)
    receiver = Receiver(api, messaging)
    ten_thousand(api, messaging, smsc)
    receipts(api, receiver, smsc)
    long_messages(api, messaging, smsc)
    mobile_originated(api, receiver, smsc)
    eventually(lambda: smsc.ask("counts")["enquired"] > 0, "enquire_link of the router")
    check(True, "the router asks a silent SMSC for a sign of life")
    rebinds(api, messaging, links, smsc)
    smsc = killed(api, messaging, links, smsc, cleanup, port)
    check_equal(router.stop(), 0, "SIGTERM ends the router with exit code 0")
    check_equal(smsc.ask("counts")["unbinds"], BINDS, "and it unbinds each link")
    check_equal(smsc.ask("counts")["unexpected"], 0, "the SMSC saw nothing that it did not know")


if __name__ == "__main__":
    sys.exit(support.main(script))
