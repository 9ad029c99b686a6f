"""The RPC as a caller in another language sees it: grpcio with stubs made from proto/. Every wrong
request has a clear answer that names the field, deadlines hold while a window is full, and a foreign
protocol on either side disturbs nobody else."""

import socket
import socketserver
import subprocess
import sys
import threading

import grpc
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import support
from support import CheckFailed, check, check_equal, eventually

PAN = "9704360000000000018"
SECRET_TEXT = "the code is 493817"
SERVICES = ("sampan.v1.Messaging", "sampan.v1.Payments", "sampan.v1.Links")

CONFIGURATION = """
[log]
level = "trace"

[[smsc]]
name = "good"
address = "{good}"
system_id = "sampan"
password = "secret"

[[smsc]]
name = "silent"
address = "{silent}"
system_id = "sampan"
password = "secret"
window = 1
response_timeout_ms = 6000

[[smsc]]
name = "web"
address = "{web}"
system_id = "sampan"
password = "secret"

[[bank]]
name = "good-bank"
address = "{good_bank}"
currency = "VND"
terminal_id = "SAMPAN01"
merchant_id = "VNMART000000001"

[[bank]]
name = "silent-bank"
address = "{silent_bank}"
window = 1
response_timeout_ms = 6000
currency = "VND"
terminal_id = "SAMPAN01"
merchant_id = "VNMART000000001"

[[bank]]
name = "web-bank"
address = "{web}"
currency = "VND"
terminal_id = "SAMPAN01"
merchant_id = "VNMART000000001"

[[message_route]]
name = "good"
prefixes = ["84"]
smscs = ["good"]
default_source = "8049"

[[message_route]]
name = "silent"
smscs = ["silent"]
default_source = "8049"

[[message_route]]
name = "no-source"
smscs = ["good"]

[[payment_route]]
card_prefixes = ["970436"]
bank = "good-bank"
"""


class Web(socketserver.BaseRequestHandler):
    """What a web server says to anything that is no HTTP."""

    def handle(self):
        self.request.recv(4096)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def web_server():
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Web)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_address[1]}"


class Caller:
    def __init__(self, api, channel):
        self.api = api
        self.messaging, self.payments, self.links = api.clients(channel)
        self.number = 0

    def message(self, **given):
        self.number += 1
        to = self.api.messaging.Address(number="84981234567")
        return self.api.messaging.SubmitRequest(
            **{"request_id": f"m-{self.number}", "destination": to, "text": "x", **given})

    def payment(self, **given):
        self.number += 1
        amount = self.api.payments.Money(amount_minor=1000, currency="VND")
        return self.api.payments.TransactRequest(
            **{"payment_id": f"p-{self.number}", "kind": "PAYMENT_KIND_PURCHASE", "pan": PAN, "amount": amount, **given})

    def submit(self, timeout=20, **given):
        return self.messaging.Submit(self.message(**given), timeout=timeout)

    def transact(self, timeout=20, **given):
        return self.payments.Transact(self.payment(**given), timeout=timeout)

    def told(self, result):
        """Outcome and reason in words."""
        name = self.api.payment_name if hasattr(result, "payment_id") else self.api.outcome_name
        return name(result.outcome), self.api.reason_name(result.reason)


def health_and_reflection(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", *SERVICES):
        status = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status
        check_equal(status, health_pb2.HealthCheckResponse.SERVING, f"health of {service or 'the server'} is SERVING")
    try:
        health.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=10)
        code = None
    except grpc.RpcError as error:
        code = error.code()
    check_equal(code, grpc.StatusCode.NOT_FOUND, "health of an unknown service is NOT_FOUND")
    database = ProtoReflectionDescriptorDatabase(channel)
    check(set(SERVICES) <= set(database.get_services()), "reflection lists the services")
    pool = descriptor_pool.DescriptorPool(database)
    methods = {m.name for m in pool.FindServiceByName("sampan.v1.Messaging").methods}
    check_equal(methods, {"Submit", "SubmitStream", "Query", "Cancel", "Replace", "Receive", "Preview", "ExplainRoute"},
                "and describes the methods of Messaging")


def accepted_and_asked_about(caller):
    messages = caller.api.messaging
    result = caller.submit(text=SECRET_TEXT, receipt=True)
    check_equal((*caller.told(result), result.smsc, result.parts), ("ACCEPTED", "UNSPECIFIED", "good", 1), "Submit: ACCEPTED")
    about = {"smsc": result.smsc, "message_id": result.message_ids[0], "source": messages.Address(number="8049")}
    query = lambda: caller.messaging.Query(messages.QueryRequest(request_id="q", **about), timeout=10)
    eventually(lambda: query().state == messages.MESSAGE_STATE_DELIVERED, "the state DELIVERED")
    check(True, "Query: the SMSC's state is told")
    to = messages.Address(number="84981234567")
    cancelled = caller.messaging.Cancel(messages.CancelRequest(request_id="c", destination=to, **about), timeout=10)
    check_equal((caller.told(cancelled)[0], cancelled.rejection.name), ("REJECTED", "ESME_RCANCELFAIL"),
                "Cancel of what is delivered: REJECTED with the SMSC's own word")
    replaced = caller.messaging.Replace(messages.ReplaceRequest(request_id="r", text="y", **about), timeout=10)
    check_equal((caller.told(replaced)[0], replaced.rejection.name), ("REJECTED", "ESME_RREPLACEFAIL"), "Replace: the same")
    unknown = caller.messaging.Query(messages.QueryRequest(request_id="q", **{**about, "smsc": "nobody"}), timeout=10)
    check_equal(caller.told(unknown.result), ("NOT_SENT", "NO_ROUTE"), "Query at an unknown SMSC: NOT_SENT NO_ROUTE")


def wrong_messages(caller):
    messages = caller.api.messaging
    address, tlv, binary = messages.Address, messages.Tlv, messages.BinaryBody
    cases = [
        ("request_id", {"request_id": ""}),
        ("request_id", {"request_id": "x" * 65}),
        ("destination", {"destination": None}),
        ("destination.number", {"destination": address(number="8" * 21)}),
        ("destination.number", {"destination": address(number="8498\n1")}),
        ("destination.ton", {"destination": address(number="84981234567", ton=256)}),
        ("body", {"text": None}),
        ("text", {"text": "Nạp tiền", "coding": "CODING_GSM7"}),
        ("text", {"text": "5 €", "coding": "CODING_LATIN1"}),
        ("text", {"text": "x" * 60_000}),
        ("coding", {"coding": 99}),
        ("binary.data_coding", {"text": None, "binary": binary(data=b"x", data_coding=256)}),
        ("priority", {"priority": 4}),
        ("protocol_id", {"protocol_id": 256}),
        ("service_type", {"service_type": "TOOLONG"}),
        ("validity_s", {"validity_s": 32 * 86_400}),
        ("tlvs[1].tag", {"tlvs": [tlv(tag=0x1400, value=b"x"), tlv(tag=70_000)]}),
        ("source", {"route": "no-source"}),
        ("source.number", {"source": address(number="VnMartPayment")}),
    ]
    for field, given in cases:
        result = caller.submit(**given)
        if (*caller.told(result), result.retry_is_safe) != ("NOT_SENT", "INVALID", True) or not result.detail.startswith(field):
            raise CheckFailed(f"a message with a wrong {field}: {result}")
    check(True, f"{len(cases)} wrong messages: each NOT_SENT INVALID, and `detail` begins with the field")
    result = caller.submit(text="Nạp tiền", coding="CODING_GSM7")
    check("u{1ea1}" in result.detail and "position 1" in result.detail, f"a text that cannot be encoded: {result.detail}")
    for what, given in (("route", {"route": "nobody"}), ("destination.number", {"destination": address(number="1234567890")})):
        result = caller.submit(**given)
        check(caller.told(result) == ("NOT_SENT", "NO_ROUTE") and result.detail.startswith(what), f"no route: {result.detail}")


def wrong_payments(caller):
    messages = caller.api.payments
    money, element = messages.Money, messages.Element
    cases = [
        ("payment_id", {"payment_id": ""}),
        ("kind", {"kind": 0}),
        ("kind", {"kind": 77}),
        ("pan", {"pan": "1234567"}),
        ("pan", {"pan": "97043600000000000x"}),
        ("amount", {"amount": None}),
        ("amount.amount_minor", {"amount": money(amount_minor=0, currency="VND")}),
        ("amount.amount_minor", {"amount": money(amount_minor=10**12, currency="VND")}),
        ("amount.currency", {"amount": money(amount_minor=1, currency="dong")}),
        ("amount", {"kind": "PAYMENT_KIND_BALANCE"}),
        ("to_account", {"to_account": "ACCOUNT_TYPE_SAVINGS"}),
        ("from_account_id", {"from_account_id": "x" * 29}),
        ("terminal_id", {"terminal_id": "x" * 9}),
        ("expiry", {"expiry": "3013"}),
        ("retrieval_reference", {"retrieval_reference": "short"}),
        ("elements[0].number", {"elements": [element(number=1, text="x")]}),
        ("elements[0].number", {"elements": [element(number=4, text="1")]}),
        ("elements[1].number", {"elements": [element(number=48, text="x"), element(number=48, text="x")]}),
        ("elements[0].value", {"elements": [element(number=48)]}),
    ]
    for field, given in cases:
        result = caller.transact(**given)
        if (*caller.told(result), result.retry_is_safe) != ("NOT_SENT", "INVALID", True) or not result.detail.startswith(field):
            raise CheckFailed(f"a payment with a wrong {field}: {result}")
    check(True, f"{len(cases)} wrong payments (an over-long amount among them): each NOT_SENT INVALID with the field")
    result = caller.transact(elements=[element(number=44, text="x" * 26)])
    check(caller.told(result) == ("NOT_SENT", "INVALID") and "44" in result.detail, f"an element over its length: {result.detail}")
    for given in ({"bank": "nobody"}, {"pan": "4000000000000002"}):
        result = caller.transact(**given)
        check(caller.told(result) == ("NOT_SENT", "NO_ROUTE") and "4000000000000002" not in result.detail,
              f"no bank: {result.detail}")


def payments_by_id(caller):
    given = {"payment_id": "same-id"}
    first, second = caller.transact(**given), caller.transact(**given)
    check(caller.told(first)[0] == "APPROVED" and first.stan == second.stan, "the same id and body get the stored outcome")
    other = caller.transact(**given, amount=caller.api.payments.Money(amount_minor=2, currency="VND"))
    check_equal(caller.told(other), ("NOT_SENT", "ID_REUSED"), "the same id with another body is ID_REUSED")
    lookup = lambda payment_id: caller.payments.Lookup(caller.api.payments.LookupRequest(payment_id=payment_id), timeout=10)
    check_equal(lookup("same-id").payment.stan, first.stan, "Lookup by the caller's id finds it")
    check(not lookup("never-used").found, "Lookup of an unknown id finds nothing")


def wrong_ones_among_right_ones(caller):
    api = caller.api
    batch = api.messaging.SubmitBatch(requests=[
        caller.message(request_id="right-1"), caller.message(request_id="wrong", priority=9), caller.message(request_id="right-2")])
    results = [r for answer in caller.messaging.SubmitStream(iter([batch]), timeout=20) for r in answer.results]
    check_equal({r.request_id: caller.told(r)[0] for r in results},
                {"right-1": "ACCEPTED", "wrong": "NOT_SENT", "right-2": "ACCEPTED"}, "SubmitStream: a wrong message spoils no other")
    batch = api.payments.TransactBatch(requests=[
        caller.payment(payment_id="pay-1"), caller.payment(payment_id="pay-wrong", pan="1"), caller.payment(payment_id="pay-2")])
    results = [r for answer in caller.payments.TransactStream(iter([batch]), timeout=20) for r in answer.results]
    check_equal({r.payment_id: caller.told(r)[0] for r in results},
                {"pay-1": "APPROVED", "pay-wrong": "NOT_SENT", "pay-2": "APPROVED"}, "TransactStream: the same")


def deadlines(caller, router, smsc):
    api = caller.api
    in_flight = lambda peer: api.links_of(caller.links, peer)[0].in_flight
    held = caller.messaging.Submit.future(caller.message(route="silent", deadline_ms=60_000), timeout=60)
    eventually(lambda: in_flight("silent") == 1, "the window of one full")
    result = caller.submit(route="silent", deadline_ms=300)
    check_equal((*caller.told(result), result.retry_is_safe), ("NOT_SENT", "DEADLINE", True),
                "deadline_ms passes while the window is full: NOT_SENT DEADLINE, safe to retry")
    # Three clocks run for a gRPC timeout, and any may be first: the caller's, that of the dispatch, and
    # that of the router's gRPC library, which says CANCELLED.
    try:
        ended = caller.told(caller.submit(route="silent", timeout=0.4))
    except grpc.RpcError as error:
        ended = error.code()
    codes = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
    check(ended in (("NOT_SENT", "DEADLINE"), *codes), f"a gRPC timeout ends the call: {ended}")
    held_payment = caller.payments.Transact.future(caller.payment(bank="silent-bank", deadline_ms=60_000), timeout=60)
    eventually(lambda: in_flight("silent-bank") == 1, "the bank's window of one full")
    try:
        caller.transact(bank="silent-bank", payment_id="too-late", timeout=0.4)
    except grpc.RpcError as error:
        check(error.code() in codes, f"a gRPC timeout ends a payment's call: {error.code()}")
    lookup = lambda: caller.payments.Lookup(api.payments.LookupRequest(payment_id="too-late"), timeout=10).payment
    eventually(lambda: caller.told(lookup()) == ("NOT_SENT", "DEADLINE"), "the payment's record NOT_SENT DEADLINE")
    check(True, "and its record says NOT_SENT DEADLINE: the gRPC timeout is the deadline of the dispatch")
    smsc.say("books")
    submitted = eventually(lambda: next((l.split()[-1] for l in iter(smsc.line, None) if l.startswith("submitted")), None), "books")
    check_equal(submitted, "1", "the SMSC never saw the messages that were told NOT_SENT")
    check_equal(caller.told(held.result()), ("UNKNOWN", "TIMEOUT"), "what held the SMSC's window ends as UNKNOWN TIMEOUT")
    check(caller.told(held_payment.result())[0] in ("REVERSING", "REVERSED"), "what held the bank's window is reversed")


def foreign_protocol(caller, router):
    for peer in ("web", "web-bank"):
        link = eventually(lambda: next((l for l in caller.api.links_of(caller.links, peer) if l.last_error), None), "an error of the link")
        check(link.state != caller.api.links.LINK_STATE_UP, f"HTTP where {peer} should be: {link.last_error}")
    shown = subprocess.run([support.binary("sampan"), "links", "--address", f"http://{router.rpc}"],
                           capture_output=True, text=True, timeout=support.LIMIT_S)
    check(shown.returncode == 0 and "web/1" in shown.stdout and "good/1" in shown.stdout, "`sampan links` shows them")
    print("".join(f"     {line}\n" for line in shown.stdout.splitlines()), end="")
    host, port = router.rpc.rsplit(":", 1)
    for octets in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(range(256)) * 4, b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\1"):
        with socket.create_connection((host, int(port)), timeout=support.LIMIT_S) as connection:
            try:
                connection.sendall(octets)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass
            except OSError:
                # The router hung up first: as good an end as any for who speaks no gRPC.
                pass
    check_equal(caller.told(caller.submit())[0], "ACCEPTED", "HTTP/1, noise and SMPP on the RPC port disturb nothing")


def unknown_method(channel):
    call = channel.unary_unary("/sampan.v1.Messaging/Nothing", lambda x: x, lambda x: x)
    try:
        call(b"", timeout=10)
        code = None
    except grpc.RpcError as error:
        code = error.code()
    check_equal(code, grpc.StatusCode.UNIMPLEMENTED, "an unknown method is UNIMPLEMENTED")


def script(cleanup, scratch):
    api = support.Api(scratch)
    good = cleanup.add(support.Simulator("smsc", "--account", "sampan:secret", "--receipts-ms", "10"))
    silent = cleanup.add(support.Simulator("smsc", "--drop", "always"))
    good_bank = cleanup.add(support.Simulator("bank", "--open-unknown", "1000000"))
    silent_bank = cleanup.add(support.Simulator("bank", "--open-unknown", "1000000", "--silent", "always", "--silent-debits"))
    router = cleanup.add(support.Router(scratch, CONFIGURATION.format(
        good=good.address, silent=silent.address, good_bank=good_bank.address, silent_bank=silent_bank.address, web=web_server())))
    channel = support.connect(router)
    caller = Caller(api, channel)
    for peer in ("good", "silent", "good-bank", "silent-bank"):
        eventually(lambda: api.all_up(caller.links, peer), f"{peer} UP")
    health_and_reflection(channel)
    unknown_method(channel)
    accepted_and_asked_about(caller)
    wrong_messages(caller)
    wrong_payments(caller)
    payments_by_id(caller)
    wrong_ones_among_right_ones(caller)
    foreign_protocol(caller, router)
    deadlines(caller, router, silent)
    check_equal(router.stop(), 0, "a stop waits for the reversal, and ends with exit code 0")
    log = "\n".join(router.errors)
    check("link state" in log and not any(secret in log for secret in (PAN, "secret", SECRET_TEXT)),
          "the log at level trace has no card number, password or text")


if __name__ == "__main__":
    sys.exit(support.main(script))
