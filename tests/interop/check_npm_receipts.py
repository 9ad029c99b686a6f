"""The npm package `smpp` as SMSC, at volume: messages of mixed codings and lengths over several
binds, half of them with receipts, of which a tenth come ahead of their submit_sm_resp and a tenth
twice; then long MO whose parts come in any order. Every request has one outcome, every receipt
reaches its request, and every text is byte-exact at the other side.

    check_npm_receipts.py                       5,000 messages
    check_npm_receipts.py --messages 100000
    SAMPAN_PROFILE=release check_npm_receipts.py --messages 100000
"""

import argparse
import collections
import itertools
import queue
import random
import sys
import threading
import time

import support
from check_npm_smpp import Submitter, start_smsc
from support import CheckFailed, check, check_equal, eventually

BATCH = 250
BINDS = 4
WINDOW = 64
EARLY_EVERY = 10
TWICE_EVERY = 10
WHOLES_PER_PAGE = 5_000
SEED = 20_260_101
MO_SOURCES = 20
MO_PER_SOURCE = 10
SERVICE = "8049"

CONFIGURATION = """
{store}
[[smsc]]
name = "npm"
address = "127.0.0.1:{port}"
binds = {binds}
system_id = "sampan"
password = "secret"
window = {window}

[[message_route]]
name = "npm"
prefixes = ["84"]
smscs = ["npm"]
default_source = "{service}"
"""

STORE = """
[store]
path = "{path}"
"""

GSM = "The quick brown fox, £5 @ ¥7: ÅåÆæßÉ Δ_ΦΓΛΩΠΨΣΘΞ ÄÖÑÜ§ äöñüà èéùìò"
EXTENSION = "^{}\\[~]|€"
VIETNAMESE = "Bạn vừa nạp 50.000đ vào tài khoản, số dư: 1.234.567đ. "
EMOJI = "😀🛶🇻🇳👩‍👩‍👧"
LATIN1 = "À bientôt, ça va? Þú, ëêîïûÿ ½ © ®. "

Body = collections.namedtuple("Body", "kind text data coding parts_min parts_max")
Told = collections.namedtuple("Told", "part parts whole_state state message_id client redelivered")


def septets(text):
    return sum(2 if character in EXTENSION else 1 for character in text)


def units(text):
    return len(text.encode("utf-16-be")) // 2


def padded(start, alphabet, size, measure, filler):
    """`start` and letters of the alphabet in turn until `size` is reached exactly."""
    letters = [start]
    taken = measure(start)
    for letter in itertools.cycle(alphabet):
        if taken >= size:
            return "".join(letters)
        # A letter has its size wherever it stands, so what is there already is not measured again.
        letter = letter if taken + measure(letter) <= size else filler
        letters.append(letter)
        taken += measure(letter)


def body_of(number, rng):
    """The message of a number. Receipts are asked for by the number's parity, kinds go by the rest."""
    tag = f"{number}: "
    kind = number // 2 % 10
    automatic, latin1 = 0, 2
    match kind:
        case 0:
            return Body("GSM", tag + GSM[: rng.randrange(len(GSM))], None, automatic, 1, 1)
        case 1:
            return Body("GSM with extension", tag + "5 € [và] {} | ~ ^ \\", None, automatic, 1, 1)
        case 2:
            text = padded(tag, GSM + EXTENSION, 160, septets, "x")
            return Body("GSM, one full part", text, None, automatic, 1, 1)
        case 3:
            return Body("UCS-2", tag + VIETNAMESE[: rng.randrange(5, 40)] + "ạ", None, automatic, 1, 1)
        case 4:
            text = padded(tag, VIETNAMESE[:20] + EMOJI, 70, units, "ế")
            return Body("UCS-2 with emoji, one full part", text, None, automatic, 1, 1)
        case 5:
            return Body("Latin-1", tag + LATIN1, None, latin1, 1, 1)
        case 6:
            data = number.to_bytes(4) + rng.randbytes(rng.randrange(137))
            return Body("binary", None, data, automatic, 1, 1)
        case 7:
            size = rng.randrange(161, 5 * 150)
            text = padded(tag, EXTENSION + GSM, size, septets, "x")
            return Body("GSM, long", text, None, automatic, 2, 5)
        case 8:
            size = rng.randrange(71, 5 * 65)
            text = padded(tag, EMOJI + VIETNAMESE, size, units, "ế")
            return Body("UCS-2, long", text, None, automatic, 2, 5)
        case _:
            size = 140 if number % 4 < 2 else rng.randrange(141, 3 * 130)
            text = padded(tag, LATIN1, size, len, "ç")
            parts = (1, 1) if size == 140 else (2, 3)
            return Body("Latin-1, long", text, None, latin1, *parts)


def destination(number):
    return f"8498{number:07}"


def has_receipt(number):
    return number % 2 == 0


class Sent:
    """All messages; the same seed, the same messages."""

    def __init__(self, count):
        rng = random.Random(SEED)
        self.bodies = [body_of(number, rng) for number in range(count)]

    def __len__(self):
        return len(self.bodies)

    def request(self, api, number):
        body = self.bodies[number]
        messages = api.messaging
        request = messages.SubmitRequest(
            request_id=f"m-{number}",
            destination=messages.Address(number=destination(number)),
            coding=body.coding,
            receipt=has_receipt(number),
            deadline_ms=120_000,
        )
        if body.data is None:
            request.text = body.text
        else:
            request.binary.data = body.data
            request.binary.data_coding = 4
        return request

    def octets(self, number):
        body = self.bodies[number]
        return body.data if body.data is not None else body.text.encode()


class Subscriber:
    """A Receive stream on the default subscription. It books what comes, then acknowledges it."""

    def __init__(self, api, messaging):
        self.api = api
        self.requests = queue.Queue()
        self.receipts = collections.defaultdict(list)
        self.receipts_told = 0
        self.messages = []
        subscribe = api.messaging.Subscribe(max_unacknowledged=10_000)
        self.requests.put(api.messaging.ReceiveRequest(subscribe=subscribe))
        self.call = messaging.Receive(iter(self.requests.get, None))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for batch in self.call:
                for event in batch.events:
                    self._book(event)
                acknowledge = self.api.messaging.Acknowledge(delivery_ids=[e.delivery_id for e in batch.events])
                self.requests.put(self.api.messaging.ReceiveRequest(acknowledge=acknowledge))
        except support.grpc.RpcError:
            # The router has ended the call; what is missing then fails a check.
            return

    def _book(self, event):
        if event.HasField("message"):
            self.messages.append(event)
            return
        receipt = event.receipt
        self.receipts[receipt.request_id].append(Told(
            receipt.part, receipt.parts, receipt.whole_state, receipt.state, receipt.message_id, receipt.client,
            event.redelivered))
        self.receipts_told += 1


def wholes_of(smsc):
    """What the SMSC put together, and how many messages it could not."""
    wholes = []
    while True:
        page = smsc.ask("wholes", **{"from": len(wholes), "count": WHOLES_PER_PAGE})
        wholes += page["wholes"]
        if len(page["wholes"]) < WHOLES_PER_PAGE:
            return wholes, page["open"], page["faults"]


def submit_all(api, messaging, sent):
    submitter = Submitter(api, messaging)
    began = time.monotonic()
    for first in range(0, len(sent), BATCH):
        submitter.submit([sent.request(api, n) for n in range(first, min(first + BATCH, len(sent)))])
    eventually(lambda: submitter.told >= len(sent), f"an outcome for each of {len(sent):,} messages", 600)
    check_equal(submitter.finish(), support.grpc.StatusCode.OK, f"the stream of {len(sent):,} messages ended with OK")
    print(f"    {len(sent) / (time.monotonic() - began):,.0f} messages/s", flush=True)
    return submitter.results


def outcomes(api, sent, told):
    check_equal(collections.Counter(len(results) for results in told.values()), {1: len(sent)},
                "every request has exactly one outcome")
    check(set(told) == {f"m-{n}" for n in range(len(sent))}, "each outcome has the id of a request")
    tally = collections.Counter(
        (api.outcome_name(r[0].outcome), api.reason_name(r[0].reason), r[0].detail) for r in told.values())
    check(all(outcome == "ACCEPTED" for outcome, _, _ in tally), f"all are ACCEPTED: {tally.most_common(3)}")
    wrong = [n for n, body in enumerate(sent.bodies)
             if not body.parts_min <= told[f"m-{n}"][0].parts <= body.parts_max
             or told[f"m-{n}"][0].parts != len(told[f"m-{n}"][0].message_ids)]
    check(not wrong, f"each outcome tells its parts, one id each{describe(sent, wrong)}")


def texts(sent, told, smsc):
    wholes, still_open, faults = wholes_of(smsc)
    check_equal((len(wholes), still_open, faults), (len(sent), 0, 0),
                "the SMSC put together as many messages as were sent, and no part came twice or is missing")
    by_destination = {number: (coding, octets, ids) for number, coding, octets, ids in wholes}
    check_equal(len(by_destination), len(sent), "one message for each destination")
    wrong = [n for n in range(len(sent)) if bytes.fromhex(by_destination[destination(n)][1]) != sent.octets(n)]
    check(not wrong, f"every text is byte-exact at the other side{describe(sent, wrong)}")
    wrong = [n for n in range(len(sent)) if by_destination[destination(n)][2] != list(told[f"m-{n}"][0].message_ids)]
    check(not wrong, f"each request was told the SMSC's ids of its parts, in their order{describe(sent, wrong)}")
    codings = collections.Counter(coding for _, coding, _, _ in wholes)
    check_equal(set(codings), {0, 3, 4, 8}, f"GSM, Latin-1, binary and UCS-2 were sent: {dict(codings)}")
    parts = collections.Counter(len(ids) for _, _, _, ids in wholes)
    check(set(parts) == {1, 2, 3, 4, 5}, f"messages had 1 to 5 parts: {dict(sorted(parts.items()))}")


def receipts(api, sent, told, subscriber, smsc):
    def all_delivered():
        counts = smsc.ask("counts")
        return counts["delivered"] == counts["promised"] + counts["twice"]
    eventually(all_delivered, "each receipt answered ESME_ROK", 300)
    counts = smsc.ask("counts")
    wanted = {f"m-{n}" for n in range(len(sent)) if has_receipt(n)}
    parts = sum(told[name][0].parts for name in wanted)
    check_equal(counts["promised"], parts, f"receipts were asked for {len(wanted):,} messages of {parts:,} parts")
    check(counts["early"] >= parts // 10 and counts["twice"] >= parts // 10 - 1,
          f"{counts['early']:,} receipts came ahead of their submit_sm_resp, {counts['twice']:,} came twice")
    eventually(lambda: subscriber.receipts_told >= parts, f"{parts:,} receipts, not {subscriber.receipts_told:,}")
    nobodys = sum(len(events) for name, events in subscriber.receipts.items() if name not in wanted)
    check_equal(nobodys, 0, "no receipt is without its request or of a request that wanted none")
    check_equal(subscriber.receipts_told, parts, "each receipt was handed over once, also those that came twice")
    mine = subscriber.receipts
    wrong = [n for n in range(len(sent)) if has_receipt(n)
             and {(t.part, t.parts, t.message_id) for t in mine[f"m-{n}"]}
             != {(place, told[f"m-{n}"][0].parts, message_id)
                 for place, message_id in enumerate(told[f"m-{n}"][0].message_ids, start=1)}]
    check(not wrong, f"every receipt reached its request, with its part and of how many{describe(sent, wrong)}")
    delivered = api.messaging.MESSAGE_STATE_DELIVERED
    enroute = api.messaging.MESSAGE_STATE_ENROUTE
    wrong = [n for n in range(len(sent)) if has_receipt(n)
             and [t.whole_state for t in mine[f"m-{n}"]] != [enroute] * (len(mine[f"m-{n}"]) - 1) + [delivered]]
    check(not wrong, f"the whole is DELIVERED with the last of its parts, ENROUTE before{describe(sent, wrong)}")
    every = [t for events in mine.values() for t in events]
    check(all(t.state == delivered for t in every), "each part's state is DELIVERED")
    check_equal(len({t.client for t in every}), 1, "all receipts name the one client that sent")
    check(not any(t.redelivered for t in every), "no receipt is marked as redelivered: no acknowledgement was lost")


def describe(sent, wrong):
    """The first of the numbers that are wrong, by kind and number alone."""
    if not wrong:
        return ""
    kinds = collections.Counter(sent.bodies[n].kind for n in wrong)
    return f": not so for {len(wrong):,}, such as {wrong[:3]}; {dict(kinds)}"


def mobile_originated(subscriber, smsc):
    rng = random.Random(SEED)
    messages = []
    for source in range(MO_SOURCES):
        for number in range(MO_PER_SOURCE):
            tag = f"{source}/{number}: "
            text = (padded(tag, EXTENSION + GSM, rng.randrange(161, 700), septets, "x") if number % 2
                    else padded(tag, EMOJI + VIETNAMESE, rng.randrange(71, 300), units, "ế"))
            messages.append({"source": f"8497{source:07}", "destination": SERVICE, "text": text})
    parts = smsc.ask("moLong", messages=messages)["parts"]
    wanted = sorted((m["source"], m["destination"], m["text"].encode()) for m in messages)
    eventually(lambda: len(subscriber.messages) >= len(wanted), f"{len(wanted)} MO, not {len(subscriber.messages)}", 60)
    got = sorted((e.source.number, e.destination.number, e.message.text.encode()) for e in subscriber.messages)
    check(got == wanted, f"{len(wanted)} long MO of {MO_SOURCES} handsets are byte-exact wholes, "
                         f"though their {parts} parts came in any order over {BINDS} binds")
    check(sum(e.message.parts for e in subscriber.messages) == parts
          and not any(e.message.missing_parts for e in subscriber.messages), "each tells its parts, and none is missing")


def script_of(options):
    def script(cleanup, scratch):
        api = support.Api(scratch)
        smsc, port = start_smsc(cleanup)
        store = "" if options.no_store else STORE.format(path=scratch / "sampan.redb")
        router = cleanup.add(support.Router(scratch, CONFIGURATION.format(
            store=store, port=port, binds=BINDS, window=WINDOW, service=SERVICE)))
        messaging, _, links = api.clients(support.connect(router))
        eventually(lambda: api.all_up(links, "npm"), f"{BINDS} links UP")
        smsc.ask("plan", earlyEvery=EARLY_EVERY, twiceEvery=TWICE_EVERY, wholes=True)
        subscriber = Subscriber(api, messaging)
        sent = Sent(options.messages)
        print(f"  {len(sent):,} messages over {BINDS} binds with a window of {WINDOW}", flush=True)
        told = submit_all(api, messaging, sent)
        outcomes(api, sent, told)
        texts(sent, told, smsc)
        receipts(api, sent, told, subscriber, smsc)
        mobile_originated(subscriber, smsc)
        check_equal(smsc.ask("counts")["unexpected"], 0, "the SMSC saw nothing that it did not know")
        check_equal(router.stop(), 0, "SIGTERM ends the router with exit code 0")
    return script


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=5_000)
    parser.add_argument("--no-store", action="store_true", help="nothing is kept across a restart")
    options = parser.parse_args()
    if not 100 <= options.messages <= 9_999_999:
        raise SystemExit("--messages: 100 to 9,999,999")
    return support.main(script_of(options))


if __name__ == "__main__":
    sys.exit(main())
