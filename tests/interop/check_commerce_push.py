"""Messages of subscribers on their way to partners, each end by somebody else: the npm package `smpp` is the
SMSC, the standardwebhooks library of the specification's authors verifies what arrives, and the partners are
pages of Python's own HTTP server. Between them are the built `sampan` and `commerce`.
"""

import collections
import http.server
import json
import re
import sys
import threading
import urllib.parse

import support
from check_npm_smpp import start_smsc
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from support import CheckFailed, Commerce, check, check_equal, eventually

SERVICE = "8049"
SUBSCRIBER = "84981234567"
MESSAGES = 50
TEXTS = ["KQ XSMB", "xin chào, Đặng Thị Thu", "a+b&c=d?e#f %41", "{\"json\": \"\\u0000\"}", "€ ^{}[~]|"]

ROUTER = """
[[smsc]]
name = "npm"
address = "127.0.0.1:{port}"
binds = 2
system_id = "sampan"
password = "secret"

[[message_route]]
name = "npm"
smscs = ["npm"]
default_source = "8049"

[[subscription]]
name = "commerce"
receipts_of = "commerce"
"""

COMMERCE = """
[http]
listen = "127.0.0.1:0"
[router]
address = "http://{rpc}"
[push]
networks = ["127.0.0.0/8"]
ports = [{ports}]
"""

SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]+")


class Partner:
    """A partner's page. It fails each message so often as it is told, and keeps every call."""

    def __init__(self, answer):
        self.calls = []
        self.failures = 0
        self.failed = collections.Counter()
        self.lock = threading.Lock()
        partner = self

        class Page(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status, kind, text = partner.take(self, body, answer)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = handle_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, request, body, answer):
        with self.lock:
            call = (request.command, request.path, dict(request.headers.items()), body)
            guid = guid_of(call)
            is_good = self.failed[guid] >= self.failures
            self.failed[guid] += not is_good
            self.calls.append((is_good, call))
        return answer(is_good)

    def kill(self):
        self.server.shutdown()

    @property
    def errors(self):
        return []

    name = "partner"

    def taken(self):
        with self.lock:
            return [call for is_good, call in self.calls if is_good]


def guid_of(call):
    method, path, _, body = call
    if method == "POST":
        return json.loads(body)["data"]["guid"]
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))["guid"]


def webhook_answers(is_good):
    return (204, "text/plain", b"") if is_good else (503, "text/plain", b"not now")


def page_answers(is_good):
    status = 2 if is_good else 1
    return 200, "text/xml", f'<?xml version="1.0"?><Result><Status>{status}</Status></Result>'.encode()


def add_partner(commerce, name, kind, url, *options):
    """Adds one who wants all messages, and returns the secret that is printed."""
    said = commerce.do("partner", "add", name, "--kind", kind, "--url", url, "--plain-http", *options)
    found = SECRET.search(said)
    return found and found.group()


def verifies(secret, body, headers):
    """Whether the specification's own library takes it."""
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    except json.JSONDecodeError:
        # It reads what it has verified, and a page's query is no JSON.
        return True
    return True


def signed_octets(call):
    """What a call's signature is of: the body, or the query of a page's call."""
    method, path, _, body = call
    return body if method == "POST" else urllib.parse.urlsplit(path).query.encode()


def verify_all(partner, secret, what):
    calls = partner.taken()
    headers = [{name.lower(): value for name, value in call[2].items()} for call in calls]
    good = [verifies(secret, signed_octets(call), own) for call, own in zip(calls, headers)]
    check(calls and all(good), f"the specification's library verifies all {len(calls)} calls of the {what}")
    call, own = calls[0], headers[0]
    check(not verifies(secret, signed_octets(call) + b" ", own), f"and refuses the {what}'s call with another content")
    other = {**own, "webhook-id": own["webhook-id"] + "0"}
    check(not verifies(secret, signed_octets(call), other), f"the {what}'s with another id")
    late = {**own, "webhook-timestamp": str(int(own["webhook-timestamp"]) + 1)}
    check(not verifies(secret, signed_octets(call), late), f"and the {what}'s with another time")


def texts_of_webhook(partner):
    """By guid; a webhook that came twice has the same content."""
    found = {}
    for call in partner.taken():
        event = json.loads(call[3])
        check_kind = (event["type"], event["data"]["phone"], event["data"]["to"])
        if check_kind != ("message.received", SUBSCRIBER, SERVICE):
            raise CheckFailed(f"a webhook of {check_kind}")
        found.setdefault(event["data"]["guid"], event["data"]["message"])
    return found


def texts_of_page(partner):
    found = {}
    for _, path, _, _ in partner.taken():
        split = urllib.parse.urlsplit(path)
        fields = urllib.parse.parse_qsl(split.query, strict_parsing=True, keep_blank_values=True)
        if split.path != "/sms" or [name for name, _ in fields] != ["key", "message", "phone", "guid"]:
            raise CheckFailed(f"a page is called as {path}")
        of = dict(fields)
        if (of["key"], of["phone"]) != ("1", SUBSCRIBER):
            raise CheckFailed(f"a page is called as {path}")
        found.setdefault(of["guid"], of["message"])
    return found


def script(cleanup, scratch):
    smsc, port = start_smsc(cleanup)
    router = cleanup.add(support.Router(scratch, ROUTER.format(port=port)))
    webhook, page = (cleanup.add(Partner(answer)) for answer in (webhook_answers, page_answers))
    ports = f"{webhook.port}, {page.port}"
    commerce = Commerce(scratch, COMMERCE.format(rpc=router.rpc, ports=ports))
    secret = add_partner(commerce, "hook", "json", f"http://127.0.0.1:{webhook.port}/hook")
    check(secret, "a webhook's secret is printed once, as whsec_ and base64")
    page_secret = add_partner(commerce, "page", "fibo", f"http://127.0.0.1:{page.port}/sms?key=1", "--sign")
    check(page_secret and page_secret != secret, "a signed page has a secret of its own")
    webhook.failures = 1
    serving, _, _ = commerce.serve(cleanup)
    eventually(lambda: smsc.ask("counts")["bound"] == 2, "two transceivers are bound")

    sent = [f"{TEXTS[number % len(TEXTS)]} {number}" for number in range(MESSAGES)]
    for text in sent:
        smsc.ask("mo", source=SUBSCRIBER, destination=SERVICE, text=text)
    # A command is ours alone.
    smsc.ask("mo", source=SUBSCRIBER, destination=SERVICE, text="TC")
    eventually(lambda: len(webhook.taken()) >= MESSAGES, "every message reaches the webhook", 120)
    eventually(lambda: len(page.taken()) >= MESSAGES, "and the page", 120)
    check(len(webhook.calls) >= 2 * MESSAGES, "although the webhook fails each message once")
    for partner, texts, what in ((webhook, texts_of_webhook(webhook), "webhook"), (page, texts_of_page(page), "page")):
        check_equal(sorted(texts.values()), sorted(sent), f"the {what} has each text once, character by character")
        guids = collections.Counter(guid_of(call) for call in partner.taken())
        check_equal(set(guids.values()), {1}, f"and the {what} was called once for each that it took")
    check_equal(texts_of_webhook(webhook), texts_of_page(page), "a message has one guid for all partners")
    verify_all(webhook, secret, "webhook")
    verify_all(page, page_secret, "page")

    fresh = SECRET.search(commerce.do("partner", "secret", "hook")).group()
    taken = len(webhook.taken())
    smsc.ask("mo", source=SUBSCRIBER, destination=SERVICE, text="after the change")
    eventually(lambda: len(webhook.taken()) > taken, "a message after the secret was changed")
    call = webhook.taken()[-1]
    check_equal([verifies(one, call[3], {name.lower(): value for name, value in call[2].items()})
                 for one in (secret, fresh)], [True, True], "who has the old secret and who has the new one can verify it")

    check_equal(serving.stop(), 0, "SIGTERM ends the program with exit code 0")
    told = "\n".join(serving.errors)
    hidden = [secret, page_secret, fresh, "key=1", *sent]
    check(not any(one in told for one in hidden), "its log has no secret, no query and no text")
    check_equal(smsc.ask("counts")["unexpected"], 0, "the SMSC saw nothing that it did not know")


if __name__ == "__main__":
    sys.exit(support.main(script))
