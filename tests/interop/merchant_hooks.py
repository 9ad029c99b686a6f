"""What schemathesis does with each call of a merchant before it goes out: signs it as a shop does, and lets a
good call be about an order that there is, because one of any other is told nothing but that. Every eighth
call goes out unsigned.

SHOP is JSON with the merchant, its secret and its orders with their amounts.
"""

import hashlib
import hmac
import itertools
import json
import os
import time

import schemathesis
from requests.auth import AuthBase
from schemathesis import GenerationMode

SHOP = json.loads(os.environ["SHOP"])
ORDERS = itertools.cycle(sorted(SHOP["orders"].items()))
CALLS = itertools.count(1)


class Signed(AuthBase):
    """The two headers, over the octets of the body as they are sent."""

    def __call__(self, request):
        if next(CALLS) % 8 == 0:
            return request
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        if not isinstance(body, bytes):
            return request
        timestamp = str(int(time.time()))
        content = timestamp.encode() + b"." + body
        request.headers["X-Sampan-Timestamp"] = timestamp
        request.headers["X-Sampan-Signature"] = hmac.new(SHOP["secret"].encode(), content, hashlib.sha256).hexdigest()
        return request


schemathesis.auth.set_from_requests(Signed())


@schemathesis.hook
def before_call(context, case, kwargs):
    is_good = case.meta is None or case.meta.generation.mode == GenerationMode.POSITIVE
    if is_good and isinstance(case.body, dict):
        order, amount = next(ORDERS)
        case.body["merchant"] = SHOP["merchant"]
        case.body["order"] = order
        if "amount" in case.body and case.body["amount"] % 4:
            case.body["amount"] = amount
