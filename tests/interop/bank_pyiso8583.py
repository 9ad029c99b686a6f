"""A bank over TCP that reads and writes its messages with pyiso8583 alone.

Every message that it gets is decoded, encoded again and compared byte by byte; what differs, or
what it cannot read, stands in `faults`. How it answers a 0200 is decided by DE4's last two digits, as
test hosts of banks commonly do; see `CODES`.
"""

import socket
import threading

import iso8583

HEADER_DIGITS = 4

# Elements of an answer that are those of the request.
ECHOED = ("2", "3", "4", "7", "11", "12", "13", "32", "37", "41", "42", "49", "102", "103")
NETWORK_ECHOED = ("7", "11", "70")

APPROVE, DECLINE, SILENT, LATE = "00", "51", "77", "78"
CODES = {APPROVE: "approve", DECLINE: "decline with 51", SILENT: "say nothing", LATE: "answer when told to"}


class Wire:
    """Messages over a connection, each after its length in four digits."""

    def __init__(self, connection, spec):
        self.connection = connection
        self.stream = connection.makefile("rb")
        self.spec = spec

    def read(self):
        """The next message as octets; None at the end of the connection."""
        header = self.stream.read(HEADER_DIGITS)
        if len(header) < HEADER_DIGITS:
            return None
        return self.stream.read(int(header))

    def write(self, message):
        octets, _ = iso8583.encode(dict(message), self.spec)
        self.connection.sendall(b"%04d" % len(octets) + octets)


class Bank:
    """The bank. `received` holds each message as a dict of its elements, in the order of arrival."""

    def __init__(self, spec, reversals_ignored=0):
        self.spec = spec
        self.lock = threading.Lock()
        self.received = []
        self.faults = []
        self.postponed = []
        self.reversals_ignored = reversals_ignored
        self.connections = []
        self.port = 0
        self.start()

    def start(self):
        """Listens; again at the same port after `kill`."""
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def kill(self):
        """Is gone at once, with all connections; the books stay."""
        with self.lock:
            gone, self.connections = [self.listener, *self.connections], []
        for each in gone:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                # The other side was quicker.
                pass
            each.close()

    def messages(self, mti):
        with self.lock:
            return [message for message in self.received if message["t"] == mti]

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                # Killed.
                return
            with self.lock:
                self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        wire = Wire(connection, self.spec)
        try:
            while (octets := wire.read()) is not None:
                message = self._decode(octets)
                if message is not None:
                    self._answer(wire, message)
        except OSError:
            # The router went away; what it got is in the books.
            return

    def _decode(self, octets):
        try:
            message, _ = iso8583.decode(octets, self.spec)
            again, _ = iso8583.encode(dict(message), self.spec)
        except (iso8583.DecodeError, iso8583.EncodeError) as error:
            self._fault(str(error))
            return None
        if bytes(again) != octets:
            self._fault(f"a {message['t']} is written otherwise by pyiso8583")
        with self.lock:
            self.received.append(message)
        return message

    def _fault(self, what):
        with self.lock:
            self.faults.append(what)

    def _answer(self, wire, request):
        match request["t"]:
            case "0800":
                answer = {key: request[key] for key in NETWORK_ECHOED}
                wire.write({"t": "0810", "39": "00", **answer})
            case "0200":
                self._answer_financial(wire, request)
            case "0420" | "0421":
                self._answer_reversal(wire, request)
            case other:
                self._fault(f"a {other} came, which a router does not send")

    def _answer_financial(self, wire, request):
        wish = request.get("4", APPROVE)[-2:]
        answer = {"t": "0210", **{key: request[key] for key in ECHOED if key in request}}
        if wish == DECLINE:
            wire.write({**answer, "39": "51"})
            return
        answer |= {"39": "00", "38": request["11"]}
        kind = request["3"][:2]
        if kind == "30":
            # Ledger and available balance of the default account: 20 characters each.
            answer["54"] = "0001704C000000123400" + "0002704C000000120000"
        elif kind == "35":
            answer["48"] = "0921073244D000000010000" + "0920110000C000000500000"
        if wish == LATE:
            with self.lock:
                self.postponed.append((wire, answer))
        elif wish != SILENT:
            wire.write(answer)

    def _answer_reversal(self, wire, request):
        if len(self.messages("0420")) + len(self.messages("0421")) <= self.reversals_ignored:
            return
        answer = {key: request[key] for key in (*ECHOED, "90") if key in request}
        wire.write({"t": "0430", "39": "00", **answer})

    def answer_postponed(self):
        """Sends the answers that were kept back, too late as they are."""
        with self.lock:
            postponed, self.postponed = self.postponed, []
        for wire, answer in postponed:
            wire.write(answer)
        return len(postponed)
