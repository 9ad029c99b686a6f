"""pyiso8583 on both sides: as the bank that Sampan talks to, and as the reader of every message that
the bank simulator sends."""

import socket
import sys

import iso8583

import support
from bank_pyiso8583 import APPROVE, DECLINE, LATE, SILENT, Bank, Wire
from dialect_spec import spec_of
from support import check, check_equal, eventually

DIALECT = support.ROOT / "config/dialects/iso8583-1987-ascii.toml"
PAN = "9704360000000000018"
OTHER_PAN = "9704360000000000026"
LINKS = 2

CONFIGURATION = """
[[bank]]
name = "pyiso"
address = "127.0.0.1:{port}"
links = {links}
currency = "VND"
terminal_id = "SAMPAN01"
merchant_id = "VNMART000000001"
acquirer_id = "970499"
forwarder_id = "970498"
merchant_category = "5411"
local_offset = "+07:00"
response_timeout_ms = 2000
echo_ms = 300
reconnect_min_ms = 50
reconnect_max_ms = 400

[bank.pin]
mode = "pass"

[bank.reversal]
repeat_min_ms = 200

[[payment_route]]
card_prefixes = ["970436"]
bank = "pyiso"
"""


class Payer:
    """Payments by a caller of its own choice of ids."""

    def __init__(self, api, stub):
        self.api, self.stub, self.number = api, stub, 0

    def pay(self, kind, wish=None, **given):
        return self.begin(kind, wish, **given).result()

    def begin(self, kind, wish=None, **given):
        """`wish` are the last two digits of the amount, by which the bank knows what to do."""
        messages = self.api.payments
        self.number += 1
        if wish is not None:
            given["amount"] = messages.Money(amount_minor=self.number * 1000 + int(wish), currency="VND")
        return self.stub.Transact.future(
            messages.TransactRequest(payment_id=f"p-{self.number}", kind=f"PAYMENT_KIND_{kind}", pan=PAN, **given),
            timeout=20,
        )

    def lookup(self, payment_id):
        return self.stub.Lookup(self.api.payments.LookupRequest(payment_id=payment_id), timeout=10)

    def outcome(self, result):
        return self.api.payment_name(result.outcome)

    def reversed(self, payment_id):
        return lambda: self.outcome(self.lookup(payment_id).payment) == "REVERSED"


def elements(result):
    return {element.number: element.text for element in result.elements}


def sign_on(bank):
    sign_ons = [message for message in bank.messages("0800") if message["70"] == "001"]
    check_equal(len(sign_ons), LINKS, "each link signs on: 0800 with DE70 001, answered by 0810")
    eventually(lambda: [m for m in bank.messages("0800") if m["70"] == "301"], "an echo")
    check(True, "an idle link sends an echo: 0800 with DE70 301")


def five_kinds(payer, bank):
    cases = [
        ("PURCHASE", "000000", APPROVE, {}),
        ("WITHDRAWAL", "011000", APPROVE, {"from_account": "ACCOUNT_TYPE_SAVINGS"}),
        ("BALANCE", "300000", None, {}),
        ("MINI_STATEMENT", "352000", None, {"from_account": "ACCOUNT_TYPE_CURRENT"}),
        ("TRANSFER", "401020", APPROVE, {
            "from_account": "ACCOUNT_TYPE_SAVINGS", "to_account": "ACCOUNT_TYPE_CURRENT",
            "from_account_id": "0011001234567", "to_account_id": "0071000987654",
        }),
    ]
    for kind, processing_code, wish, given in cases:
        result = payer.pay(kind, wish, **given)
        sent = bank.messages("0200")[-1]
        check_equal((payer.outcome(result), result.response_code, sent["3"], sent["11"], sent["37"]),
                    ("APPROVED", "00", processing_code, result.stan, result.retrieval_reference),
                    f"{kind} is a 0200 with processing code {processing_code}, and APPROVED")
        check_equal(result.authorization_id, sent["11"], "DE38 of the 0210 is told")
        check_equal((sent["2"], sent["41"], sent["42"], sent["32"], sent["33"], sent["18"]),
                    (PAN, "SAMPAN01", "VNMART000000001", "970499", "970498", "5411"),
                    "DE2, 18, 32, 33, 41 and 42 are those of caller and configuration")
        if wish is None:
            check("4" not in sent and "49" not in sent, "no amount where no money moves")
        else:
            check_equal((sent["4"], sent["49"]), (f"{payer.number * 1000 + int(wish):012}", "704"), "DE4 and DE49")
        if kind == "BALANCE":
            check_equal(elements(result)[54], "0001704C0000001234000002704C000000120000", "DE54 is told")
        if kind == "MINI_STATEMENT":
            check(elements(result)[48].startswith("0921073244D"), "DE48 is told")
        if kind == "TRANSFER":
            check_equal((sent["102"], sent["103"]), ("0011001234567", "0071000987654"), "DE102 and DE103")


def raw_elements(payer, bank):
    element = payer.api.payments.Element
    result = payer.pay("PURCHASE", APPROVE, expiry="3012", terminal_id="T1", retrieval_reference="REF000000001", elements=[
        element(number=48, text="order 7"),
        element(number=43, text="HO CHI MINH"),
        element(number=52, binary=bytes.fromhex("0123456789ABCDEF")),
        element(number=55, text="9F2608A1"),
        element(number=120, text="x" * 999),
    ])
    sent = bank.messages("0200")[-1]
    check_equal(payer.outcome(result), "APPROVED", "a purchase with raw elements is APPROVED")
    check_equal((sent["14"], sent["41"], sent["37"], sent["48"], sent["43"], sent["52"], sent["55"], sent["120"]),
                ("3012", "T1".ljust(8), "REF000000001", "order 7", "HO CHI MINH".ljust(40), "0123456789ABCDEF", "9F2608A1", "x" * 999),
                "elements of every shape reach the bank: n, an, ans with fill, LLL to its limit, b as hexadecimal")


def declined(payer):
    result = payer.pay("PURCHASE", DECLINE)
    check_equal((payer.outcome(result), result.response_code, result.retry_is_safe), ("DECLINED", "51", True),
                "a refusal is DECLINED with DE39, and a retry is safe")


def silence(payer, bank):
    result = payer.pay("PURCHASE", SILENT)
    request = bank.messages("0200")[-1]
    check_equal((payer.outcome(result), result.retry_is_safe), ("REVERSING", False), "silence of the bank is told as REVERSING")
    eventually(payer.reversed(result.payment_id), "the reversal acknowledged")
    first, repeat = bank.messages("0420")[-1], bank.messages("0421")[-1]
    original = "0200" + request["11"] + request["7"] + request["32"].zfill(11) + request["33"].zfill(11)
    check_equal(first["90"], original, "the 0420 names its original in DE90")
    check_equal([first[key] for key in ("2", "3", "4", "37", "41", "42", "49", "39")],
                [request[key] for key in ("2", "3", "4", "37", "41", "42", "49")] + ["68"],
                "it has the original's card, amount and references, and DE39 68")
    check_equal({k: v for k, v in repeat.items() if k != "t"}, {k: v for k, v in first.items() if k != "t"},
                "the 0420 was not answered, so a 0421 of the same elements followed, up to the 0430")
    told = payer.lookup(result.payment_id).payment
    check_equal((told.reversal.attempts, told.reversal.response_code, told.reversal.stan), (2, "00", first["11"]),
                "Lookup tells REVERSED, two attempts and the bank's code")


def late(payer, bank):
    result = payer.pay("WITHDRAWAL", LATE)
    check_equal(payer.outcome(result), "REVERSING", "a payment whose answer is late is REVERSING")
    eventually(payer.reversed(result.payment_id), "the reversal acknowledged")
    check_equal(bank.answer_postponed(), 1, "the bank now answers that 0200 with an approval")
    found = eventually(lambda: (l := payer.lookup(result.payment_id)).late_response_code and l, "the late answer in the record")
    check_equal((payer.outcome(found.payment), found.late_response_code), ("REVERSED", "00"),
                "the late 0210 changes nothing that was told, and stands in the record")


def reversed_on_demand(payer, bank):
    before = len(bank.messages("0420"))
    result = payer.pay("PURCHASE", APPROVE)
    check_equal(payer.outcome(result), "APPROVED", "the links still serve")
    reversal = payer.stub.Reverse(payer.api.payments.ReverseRequest(payment_id=result.payment_id), timeout=10)
    check(payer.outcome(reversal) in ("REVERSING", "REVERSED"), "an approved payment is reversed on demand")
    eventually(payer.reversed(result.payment_id), "the reversal acknowledged")
    asked = bank.messages("0420")[-1]
    check_equal((len(bank.messages("0420")), asked["39"], asked["38"]), (before + 1, "17", result.authorization_id),
                "that 0420 has DE39 17 and the approval's DE38")


def killed(payer, bank, links):
    before = len(bank.messages("0200"))
    call = payer.begin("PURCHASE", SILENT)
    eventually(lambda: len(bank.messages("0200")) > before, "the 0200 at the bank")
    bank.kill()
    result = call.result()
    check_equal((payer.outcome(result), payer.api.reason_name(result.reason), result.retry_is_safe),
                ("REVERSING", "LINK_LOST", False), "the bank is killed: the payment in flight is REVERSING for LINK_LOST")
    eventually(lambda: not any(l.state == payer.api.links.LINK_STATE_UP for l in payer.api.links_of(links, "pyiso")), "no link UP")
    refused = payer.pay("PURCHASE", APPROVE)
    check_equal((payer.outcome(refused), payer.api.reason_name(refused.reason), refused.retry_is_safe),
                ("NOT_SENT", "NO_LINK", True), "meanwhile a payment is NOT_SENT NO_LINK at once, and safe to retry")
    bank.start()
    eventually(payer.reversed(result.payment_id), "the reversal acknowledged")
    # A 0420 that went into the dying connection is repeated as a 0421.
    stan = payer.lookup(result.payment_id).payment.reversal.stan
    reversals = [m for mti in ("0420", "0421") for m in bank.messages(mti) if m["11"] == stan]
    check_equal({m["90"][4:10] for m in reversals}, {result.stan},
                "the links come back by themselves, sign on, and the reversal is acknowledged")
    eventually(lambda: payer.api.all_up(links, "pyiso"), "both links UP")
    check_equal(payer.outcome(payer.pay("PURCHASE", APPROVE)), "APPROVED", "and payments go out again")


def simulator(cleanup, spec):
    """Every kind of message that the bank simulator sends, read by pyiso8583."""
    bank = cleanup.add(support.Simulator("bank", "--account", f"{PAN}:100000", "--account", f"{OTHER_PAN}:0"))
    with socket.create_connection(("127.0.0.1", bank.port), timeout=support.LIMIT_S) as connection:
        wire = Wire(connection, spec)
        stan = 0

        def exchange(message):
            nonlocal stan
            stan += 1
            wire.write({"7": "0921073244", "11": f"{stan:06}", **message})
            octets = wire.read()
            answer, _ = iso8583.decode(octets, spec)
            again, _ = iso8583.encode(dict(answer), spec)
            check_equal(bytes(again), octets, f"the simulator's {answer['t']} is read and written alike")
            check_equal(answer["11"], f"{stan:06}", "and answers what was asked")
            return answer

        check_equal(exchange({"t": "0800", "70": "001"})["39"], "00", "simulator: sign-on")
        check_equal(exchange({"t": "0800", "70": "301"})["39"], "00", "simulator: echo")
        financial = {"t": "0200", "2": PAN, "12": "143244", "13": "0921", "37": "426507000001",
                     "41": "SAMPAN01", "42": "VNMART000000001", "49": "704"}
        for code in ("000000", "010000", "400000"):
            answer = exchange({**financial, "3": code, "4": "000000010000", "102": PAN, "103": OTHER_PAN})
            check_equal((answer["t"], answer["39"]), ("0210", "00"), f"simulator: {code} is approved")
        balance = exchange({**financial, "3": "300000"})
        check_equal((balance["39"], len(balance["54"])), ("00", 40), "simulator: a balance has two amounts in DE54")
        statement = exchange({**financial, "3": "350000"})
        check(statement["39"] == "00" and statement["48"], "simulator: a mini statement has lines in DE48")
        refused = exchange({**financial, "3": "000000", "4": "000099999999"})
        check_equal(refused["39"], "51", "simulator: too high an amount is declined")
        original = "0200" + "000003" + "0921073244" + "0" * 22
        reversal = {**financial, "3": "000000", "4": "000000010000", "39": "68", "90": original}
        for mti in ("0420", "0421"):
            check_equal((exchange({"t": mti, **{k: v for k, v in reversal.items() if k != "t"}})["t"]), "0430", f"simulator: {mti} is answered")
        check_equal(exchange({"t": "0800", "70": "002"})["39"], "00", "simulator: sign-off")


def script(cleanup, scratch):
    spec = spec_of(DIALECT)
    simulator(cleanup, spec)
    api = support.Api(scratch)
    bank = Bank(spec, reversals_ignored=1)
    router = cleanup.add(support.Router(scratch, CONFIGURATION.format(port=bank.port, links=LINKS)))
    _, payments, links = api.clients(support.connect(router))
    eventually(lambda: api.all_up(links, "pyiso"), "both links UP")
    payer = Payer(api, payments)
    sign_on(bank)
    five_kinds(payer, bank)
    raw_elements(payer, bank)
    declined(payer)
    silence(payer, bank)
    late(payer, bank)
    reversed_on_demand(payer, bank)
    killed(payer, bank, links)
    check_equal(router.stop(), 0, "SIGTERM ends the router with exit code 0")
    check_equal([m["70"] for m in bank.messages("0800")].count("002"), LINKS, "and each link signs off: DE70 002")
    check_equal(bank.faults, [], f"pyiso8583 read each of {len(bank.received)} messages and wrote the same bytes")


if __name__ == "__main__":
    sys.exit(support.main(script))
