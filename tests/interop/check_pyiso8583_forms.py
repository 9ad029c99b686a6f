"""pyiso8583 and Sampan's codec over every form that both can express: encodings, pads, length
prefixes, message types, bitmaps, headers and TPDUs, drawn by lot in many dialects.

pyiso8583 writes each message, and reads it back; Sampan must write the same bytes and read the same
message from them."""

import json
import subprocess
import sys

import iso8583

import support
from forms_spec import Dialect, draw_of
from support import check, check_equal

SEED = 8583
DIALECTS = 150
MESSAGES = 30


def vectors(draw):
    for _ in range(DIALECTS):
        dialect = Dialect(draw)
        text, spec = dialect.toml(), dialect.spec()
        for _ in range(MESSAGES):
            ours, theirs = dialect.message(draw)
            body, _ = iso8583.encode(dict(theirs), spec)
            again, _ = iso8583.decode(bytes(body), spec)
            read = {key: value for key, value in again.items() if key not in ("p", "1")}
            if {k: v.upper() for k, v in read.items()} != {k: v.upper() for k, v in theirs.items()}:
                raise support.CheckFailed(f"pyiso8583 does not read what it wrote: {theirs} became {read}")
            yield json.dumps({
                "dialect": text,
                "mti": theirs["t"],
                "elements": {number: value.hex() for number, value in ours.items()},
                "framed": dialect.framed(bytes(body)).hex(),
            })


def script(_cleanup, _scratch):
    lines = list(vectors(draw_of(SEED)))
    check(True, f"pyiso8583 wrote and read {len(lines)} messages in {DIALECTS} dialects, seed {SEED}")
    program = support.TARGET / "debug/examples/iso8583_vectors"
    ended = subprocess.run([program], input="\n".join(lines), text=True, capture_output=True, timeout=support.LIMIT_S * 4)
    check_equal((ended.returncode, ended.stdout.strip()), (0, str(len(lines))),
                f"Sampan writes the same bytes and reads the same messages {ended.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(support.main(script))
