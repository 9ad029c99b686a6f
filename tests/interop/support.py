"""What the interoperability checks share: processes, the router with a configuration of its own,
a client made from proto/ by grpcio-tools, and checks that say what they proved.

Nothing here knows SMPP or ISO 8583, and nothing waits for a fixed time: `eventually` asks until the
answer is yes or a limit that is far beyond the usual has passed.
"""

import importlib
import json
import os
import pathlib
import queue
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import grpc
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# The router under test: `debug` or `release`. The simulators are always those of the debug build.
PROFILE = os.environ.get("SAMPAN_PROFILE", "debug")
LIMIT_S = 30.0


def binary(name):
    """A program of this workspace, as `cargo build --workspace` made it."""
    path = TARGET / (PROFILE if name == "sampan" else "debug") / name
    if not path.exists():
        release = " --release" if path.parent.name == "release" else ""
        sys.exit(f"{path} is missing: run `cargo build{release} --workspace --bins` first")
    return str(path)


class CheckFailed(Exception):
    """A check that did not hold."""


def check(holds, what):
    """Ends the script unless `holds`; otherwise says what was proved."""
    if not holds:
        raise CheckFailed(what)
    print(f"  ok: {what}", flush=True)


def check_equal(got, wanted, what):
    if got != wanted:
        raise CheckFailed(f"{what}: got {got!r}, wanted {wanted!r}")
    print(f"  ok: {what}", flush=True)


def eventually(condition, what, limit_s=LIMIT_S):
    """Waits until `condition()` gives something true, and returns that."""
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise CheckFailed(f"not within {limit_s:.0f} s: {what}")
        time.sleep(0.02)


def main(script):
    """Runs a script's checks; the exit code is 0 only if all of them held."""
    # A script that is told to end takes its processes along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with Cleanup() as cleanup, tempfile.TemporaryDirectory(prefix="sampan-interop-") as scratch:
        try:
            script(cleanup, pathlib.Path(scratch))
        except CheckFailed as failure:
            cleanup.show_logs()
            print(f"  FAILED: {failure}", flush=True)
            return 1
        except Exception:
            cleanup.show_logs()
            traceback.print_exc()
            return 1
    return 0


class Cleanup:
    """The processes of a script, ended with it."""

    def __init__(self):
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.kill()

    def add(self, process):
        self.processes.append(process)
        return process

    def show_logs(self):
        for process in self.processes:
            print(f"--- standard error of {process.name}, last lines", file=sys.stderr)
            print("\n".join(process.errors[-25:]), file=sys.stderr)


class Process:
    """A program whose standard output is read by line and whose standard input steers it."""

    def __init__(self, name, command, environment=None):
        self.name = name
        self.errors = []
        self.lines = queue.Queue()
        self.child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            text=True,
        )
        for stream, keep in ((self.child.stdout, self.lines.put), (self.child.stderr, self.errors.append)):
            threading.Thread(target=self._read, args=(stream, keep), daemon=True).start()

    @staticmethod
    def _read(stream, keep):
        for line in stream:
            keep(line.rstrip("\n"))

    def line(self, limit_s=LIMIT_S):
        try:
            return self.lines.get(timeout=limit_s)
        except queue.Empty:
            raise CheckFailed(f"{self.name} said nothing for {limit_s:.0f} s") from None

    def say(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()

    def kill(self):
        """As kill -9 does, if it still runs."""
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()

    def stop(self, limit_s=LIMIT_S):
        """Asks it to end by SIGTERM and returns its exit code."""
        self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise CheckFailed(f"{self.name} did not stop within {limit_s:.0f} s") from None


class Simulator(Process):
    """`loadtest smsc` or `loadtest bank` on a port of its own."""

    def __init__(self, kind, *options):
        super().__init__(f"loadtest {kind}", [binary("loadtest"), kind, "--listen", "127.0.0.1:0", *options])
        self.address = self.line().rsplit(" ", 1)[1]
        self.port = int(self.address.rsplit(":", 1)[1])


class Router(Process):
    """`sampan run` with this configuration; it chooses its own ports."""

    def __init__(self, scratch, configuration, listen="127.0.0.1:0", rpc=""):
        self.file = scratch / f"sampan-{time.monotonic_ns()}.toml"
        self.file.write_text(
            f'[rpc]\nlisten = "{listen}"\n{rpc}\n'
            f'[admin]\nlisten = "127.0.0.1:0"\n\n{configuration}\n'
        )
        super().__init__("sampan run", [binary("sampan"), "run", "--config", str(self.file)])
        said = self.line()
        ready = re.fullmatch(r"sampan is ready: rpc (\S+) admin (\S+)", said)
        if not ready:
            raise CheckFailed(f"sampan run said {said!r}")
        self.rpc, self.admin = ready.groups()


class Commerce:
    """The program `commerce` with this configuration, a key and books in a folder of its own."""

    def __init__(self, scratch, configuration):
        self.scratch = scratch
        (scratch / "commerce.toml").write_text(
            '[store]\nlocation = "commerce.db"\n[keys]\ncurrent = "file:key"\n'
            f'[admin]\nlisten = "127.0.0.1:0"\n{configuration}'
        )
        (scratch / "key").write_text(secrets.token_hex(32))
        self.command = [binary("commerce"), "--config", str(scratch / "commerce.toml")]

    def do(self, *arguments):
        """What a command prints."""
        done = subprocess.run([*self.command, *map(str, arguments)], capture_output=True, text=True, cwd=self.scratch)
        if done.returncode != 0:
            raise CheckFailed(f"commerce {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
        return done.stdout

    def serve(self, cleanup):
        """The program that serves, and where: the port of customers and that of operators."""
        serving = cleanup.add(Process("commerce serve", [*self.command, "serve"]))
        said = serving.line()
        ready = re.fullmatch(r"commerce is ready: http (\S+) admin (\S+)", said)
        check(ready, f"the program says where it serves: {said}")
        return serving, *ready.groups()


class Api:
    """The generated modules of proto/sampan/v1, made afresh so that they cannot be stale."""

    def __init__(self, scratch):
        out = scratch / "stubs"
        out.mkdir(exist_ok=True)
        protos = sorted((ROOT / "proto").glob("sampan/v1/*.proto"))
        arguments = ["protoc", f"-I{ROOT / 'proto'}", f"--python_out={out}", f"--grpc_python_out={out}"]
        if protoc.main([*arguments, *map(str, protos)]) != 0:
            raise CheckFailed("proto/ does not compile")
        sys.path.insert(0, str(out))
        for name in ("outcome", "messaging", "payments", "links"):
            setattr(self, name, importlib.import_module(f"sampan.v1.{name}_pb2"))
            setattr(self, f"{name}_stub", importlib.import_module(f"sampan.v1.{name}_pb2_grpc"))

    def clients(self, channel):
        return (
            self.messaging_stub.MessagingStub(channel),
            self.payments_stub.PaymentsStub(channel),
            self.links_stub.LinksStub(channel),
        )

    def outcome_name(self, value):
        return self.outcome.Outcome.Name(value).removeprefix("OUTCOME_")

    def payment_name(self, value):
        return self.payments.PaymentOutcome.Name(value).removeprefix("PAYMENT_OUTCOME_")

    def reason_name(self, value):
        return self.outcome.Reason.Name(value).removeprefix("REASON_")

    def links_of(self, links, peer):
        return list(links.List(self.links.ListLinksRequest(peer=peer), timeout=10).links)

    def all_up(self, links, peer):
        up = self.links.LINK_STATE_UP
        return all(link.state == up for link in self.links_of(links, peer))


def connect(router):
    """A channel to the router, ready to be used."""
    channel = grpc.insecure_channel(router.rpc)
    grpc.channel_ready_future(channel).result(timeout=LIMIT_S)
    return channel


class Json(Process):
    """A process that answers a line of JSON with a line of JSON."""

    def ask(self, do, **arguments):
        self.say(json.dumps({"do": do, **arguments}))
        answer = json.loads(self.line())
        if "error" in answer:
            raise CheckFailed(f"{self.name} {do}: {answer['error']}")
        return answer
