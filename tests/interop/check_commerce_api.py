"""Whether the S2Sell API is what it says of itself: schemathesis makes requests of its description, good
and bad ones, and judges the answers.

The program is the built one, on a SQLite file that its own commands have seeded.
"""

import re
import subprocess
import sys
import urllib.request

import support
from support import Commerce, check, check_equal

CARDS = 3_000
# A purchase under a key that another has is refused by rights, and fuzzing finds keys again.
SCHEMATHESIS = """\
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 304, 402, 404, 409, 422]
"""
CONFIGURATION = """\
[http]
listen = "127.0.0.1:0"
[log]
level = "warn"
[s2sell]
requests_per_s = 100000
burst = 100000
"""


def seed(commerce):
    """A catalogue, one agent with a deposit, cards; returns the agent's key."""
    commerce.do("catalogue", "put", support.ROOT / "config" / "catalogue.toml")
    commerce.do("agent", "add", "shop")
    commerce.do("agent", "deposit", "shop", 100_000_000, "--bank", "vcb", "--reference", "FT1")
    # The first one's serial is the description's example.
    first = 29091000008229
    lines = (f"{first + number:015},P{number:09},2099-12-30" for number in range(CARDS))
    cards = commerce.scratch / "cards.csv"
    cards.write_text("CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\n" + "\n".join(lines) + "\n")
    commerce.do("stock", "import", "MOBI10", cards)
    return commerce.do("agent", "key", "shop").strip()


def figures(admin):
    with urllib.request.urlopen(f"http://{admin}/metrics", timeout=10) as answer:
        return answer.read().decode()


def script(cleanup, scratch):
    commerce = Commerce(scratch, CONFIGURATION)
    key = seed(commerce)
    serving, http, admin = commerce.serve(cleanup)
    base = f"http://{http}/mcapi"
    curl = ["curl", "-s", "-H", f"X-API-Key: {key}", f"{base}/s2sell/card/MOBI10", "-d", "BUYCOUNT=1&SELLDESTNO=order-7"]
    sold = subprocess.run(curl, capture_output=True, text=True, check=True).stdout
    check(sold.startswith('{"result":[{"CARDPINCODE":"P000000000","CARDSERIESNO":"029091000008229",'), "curl buys a card")

    (scratch / "schemathesis.toml").write_text(SCHEMATHESIS)
    tested = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"{base}/openapi.json", "--header", f"X-API-Key: {key}",
         "--checks", "all", "--max-examples", "150", "--seed", "1", "--request-timeout", "30",
         "--continue-on-failure", "--output-sanitize", "true"],
        capture_output=True, text=True, cwd=scratch,
    )
    print(tested.stdout[-6000:], tested.stderr[-2000:])
    check_equal(tested.returncode, 0, "schemathesis finds no answer outside of the description, and none of 5xx")

    told = figures(admin)
    answered = {}
    for route, status, count in re.findall(r'commerce_http_requests_total\{method="\w+",route="(/mcapi/[^"]*)",status="(\d+)"\} (\d+)', told):
        answered.setdefault(route, {})[status] = int(count)
    for route, by_status in sorted(answered.items()):
        print(f"  {route}: {by_status}")
    check(all(by_status.get("200") for by_status in answered.values()), "every call was also answered well")
    check(not any(status.startswith("5") for by_status in answered.values() for status in by_status), "no call was answered 5xx")
    check_equal(serving.stop(), 0, "SIGTERM ends the program with exit code 0")
    check(key not in "\n".join(serving.errors), "its log has no key")
    verdict = commerce.do("verdict")
    check(all(line.startswith("ok ") for line in verdict.splitlines()), "books, stock and sales agree afterwards")


if __name__ == "__main__":
    sys.exit(support.main(script))
