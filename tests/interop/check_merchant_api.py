"""Whether the merchants' calls are what they say of themselves: schemathesis makes signed and unsigned requests
of their description, good and bad ones, about orders that are paid, given up and never begun.

Commerce, its router, the bank and the shop are the example `checkout` of loadtest; customers pay by its pages.
"""

import json
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request

import support
from support import Json, binary, check, check_equal, eventually

AMOUNT = 150_000
# Each order of a kind is another customer's.
PAID, GIVEN_UP = 8, 2
# What is signed wrong or about a stranger's order is refused by rights.
SCHEMATHESIS = """\
hooks = "{hooks}"
[generation]
with-security-parameters = false
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 404, 409]
"""


class Town(Json):
    """The example, and a customer's browser."""

    def __init__(self):
        super().__init__("checkout", [binary("examples/checkout")])
        self.told = json.loads(self.line())

    def place(self, order):
        link = self.ask("place", order=order, amount=AMOUNT, description="Áo dài")["link"]
        with urllib.request.urlopen(link, timeout=10) as page:
            return page.url, page.read().decode()

    def send(self, page, action, **fields):
        url, html = page
        key = re.search(r'name="form" value="(\w+)"', html).group(1)
        body = urllib.parse.urlencode({"form": key, **fields}).encode()
        with urllib.request.urlopen(f"{url}/{action}", body, timeout=10) as answer:
            return answer.url, answer.read().decode()

    def begin(self, order, phone):
        return self.send(self.place(order), "phone", phone=phone)

    def pay(self, order, phone):
        page = self.begin(order, phone)
        self.send(page, "code", code=self.ask("password", phone=phone)["password"])
        eventually(lambda: self.ask("order", order=order)["state"] == "Paid", f"{order} is paid")


def script(cleanup, scratch):
    town = cleanup.add(Town())
    phones = iter(town.told["phones"])
    orders = {f"PAID-{number}": AMOUNT for number in range(PAID)}
    for order in orders:
        town.pay(order, next(phones))
    for number in range(GIVEN_UP):
        town.send(town.begin(f"GIVEN-UP-{number}", next(phones)), "cancel")
        orders[f"GIVEN-UP-{number}"] = AMOUNT
    town.place("OPEN")
    orders |= {"OPEN": AMOUNT, "STRANGE": AMOUNT}

    (scratch / "schemathesis.toml").write_text(SCHEMATHESIS.format(hooks=support.ROOT / "tests/interop/merchant_hooks.py"))
    shop = {"merchant": town.told["merchant"], "secret": town.told["secret"], "orders": orders}
    tested = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"{town.told['commerce']}/v1/merchant/openapi.json",
         "--checks", "all", "--max-examples", "150", "--seed", "1", "--request-timeout", "30",
         "--continue-on-failure", "--output-sanitize", "true"],
        capture_output=True, text=True, cwd=scratch, env=os.environ | {"SHOP": json.dumps(shop)},
    )
    print(tested.stdout[-6000:], tested.stderr[-2000:])
    check_equal(tested.returncode, 0, "schemathesis finds no answer outside of the description, and none of 5xx")

    with urllib.request.urlopen(f"{town.told['admin']}/metrics", timeout=10) as answer:
        told = answer.read().decode()
    found = re.findall(r'commerce_http_requests_total\{method="\w+",route="(/v1/merchant/\w+)",status="(\d+)"\} (\d+)', told)
    answered = {}
    for route, status, count in found:
        answered.setdefault(route, {})[status] = int(count)
    for route, by_status in sorted(answered.items()):
        print(f"  {route}: {by_status}")
    good = {"/v1/merchant/query": ["200", "400", "401", "404", "405"], "/v1/merchant/refund": ["200", "400", "401", "404", "405", "409"]}
    for route, statuses in good.items():
        check(all(answered.get(route, {}).get(status) for status in statuses), f"{route} was answered {', '.join(statuses)}")
    check(not any(status.startswith("5") for by_status in answered.values() for status in by_status), "no call was answered 5xx")
    for order in [order for order in orders if order.startswith("PAID")]:
        eventually(lambda: town.ask("order", order=order)["state"] == "Refunded", f"the shop knows that {order} is given back")
    check(True, "every order that was given back is told to the shop by an IPN")
    check(town.told["secret"] not in "\n".join(town.errors), "its log has no secret")


if __name__ == "__main__":
    sys.exit(support.main(script))
