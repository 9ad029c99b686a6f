"""Random dialects, in Sampan's words and in those of pyiso8583, and random messages for them.

Not all that Sampan can say has a counterpart: pyiso8583 counts a length before hexadecimal text in
characters only, and knows no sign before packed digits. The latter is given to it as plain bytes.
"""

import codecs
import random
import struct

HEADERS = ("ascii4", "binary2", "bcd2")
PREFIX_BYTES = {
    "ascii": {"L": 1, "LL": 2, "LLL": 3, "LLLL": 4},
    "ebcdic": {"L": 1, "LL": 2, "LLL": 3, "LLLL": 4},
    "bcd": {"L": 1, "LL": 1, "LLL": 2, "LLLL": 2},
    "binary": {"L": 1, "LL": 1, "LLL": 2, "LLLL": 2},
}
ALPHABETS = {
    "n": "0123456789",
    "z": "0123456789=",
    "a": "abcXYZ ",
    "an": "09azAZ ",
    "ans": " !09AZaz~|^=[]{}\\`",
    "ns": "0123456789-/ .",
}
TPDU = "6000030000"


def cp1047(name):
    """Code page 1047, which Python does not have: 037 with six characters changed, as IBM lists them."""
    if name != "cp1047":
        return None
    table = list(bytes(range(256)).decode("cp037"))
    changed = {0x5F: "^", 0xAD: "[", 0xB0: "\xac", 0xBA: "\xdd", 0xBB: "\xa8", 0xBD: "]"}
    for byte, character in changed.items():
        table[byte] = character
    decoding = "".join(table)
    encoding = codecs.charmap_build(decoding)
    return codecs.CodecInfo(
        encode=lambda text, errors="strict": codecs.charmap_encode(text, errors, encoding),
        decode=lambda octets, errors="strict": codecs.charmap_decode(octets, errors, decoding),
        name=name,
    )


codecs.register(cp1047)
TEXT = {"ascii": "ascii", "ebcdic": "cp1047"}


class Element:
    """An element of a form that is drawn by lot."""

    def __init__(self, draw, number):
        self.number = number
        self.content = draw.choice(("n", "n", "z", "x+n", "b", "a", "an", "ans", "ns"))
        self.length = draw.choice(("fixed", "L", "LL", "LLL", "LLLL"))
        self.prefix = draw.choice(tuple(PREFIX_BYTES))
        packed = ("bcd",) * 2 if self.content in ("n", "z", "x+n") else ()
        self.encoding = draw.choice(("hex", "binary", "ebcdic") if self.content == "b" else ("ascii", "ebcdic", *packed))
        self.side, self.digit = draw.choice(("left", "right")), draw.choice("0F")
        self.counts = "digits"
        if self.content == "x+n" and self.encoding == "bcd":
            self.length = "fixed"
        if self.length != "fixed" and self.encoding == "bcd" and self.digit == "F":
            self.counts = draw.choice(("digits", "bytes"))
        greatest = {"fixed": 40, "L": 4, "LL": 40, "LLL": 120, "LLLL": 300}[self.length]
        self.max = draw.randint(2, greatest)

    def toml(self):
        row = f'{self.number} = {{ name = "x", content = "{self.content}", length = "{self.length}", max = {self.max}'
        row += f', encoding = "{self.encoding}"'
        if self.encoding == "bcd":
            row += f', pad = "{self.side}", pad_digit = "{self.digit}"'
        if self.length != "fixed":
            row += f', length_encoding = "{self.prefix}"'
            if self.encoding == "bcd" or self.is_hexadecimal():
                row += f', length_counts = "{self.counts}"'
        return row + " }\n"

    def is_hexadecimal(self):
        return self.content == "b" and self.encoding != "binary"

    def spec(self):
        text = self.encoding in TEXT and not self.content == "b" or self.is_hexadecimal()
        longest = self.max
        if self.is_hexadecimal():
            longest *= 2
        elif self.encoding == "bcd" and (self.counts == "bytes" or self.content == "x+n"):
            longest = (self.max + 1) // 2 if self.content != "x+n" else 1 + self.max // 2
        by_nibble = self.encoding == "bcd" and self.counts == "digits" and self.content != "x+n"
        spec = {
            "data_enc": TEXT.get(self.encoding, "ascii") if text else "b",
            "len_enc": {"bcd": "bcd", "binary": "b", **TEXT}[self.prefix],
            "len_type": 0 if self.length == "fixed" else PREFIX_BYTES[self.prefix][self.length],
            "max_len": longest,
            "len_count": "nibbles" if by_nibble else "bytes",
            "desc": "x",
        }
        if by_nibble:
            spec[f"{self.side}_pad"] = self.digit
        return spec

    def value(self, draw):
        """A value as Sampan holds it, and as pyiso8583 wants it."""
        length = self.max if self.length == "fixed" else draw.randint(0, self.max)
        if self.content == "b":
            octets = draw.randbytes(length)
            return octets, octets.hex().upper()
        if self.content == "x+n":
            length = max(length, 1)
            text = draw.choice("CD") + "".join(draw.choices("0123456789", k=length - 1))
        else:
            text = "".join(draw.choices(ALPHABETS[self.content], k=length))
        return text.encode("ascii"), self.theirs(text)

    def theirs(self, text):
        if self.encoding != "bcd":
            return text
        if self.content == "x+n":
            return text[:1].encode("ascii").hex() + self.padded(text[1:])
        digits = text.replace("=", "D")
        return self.padded(digits) if self.counts == "bytes" else digits

    def padded(self, digits):
        if len(digits) % 2 == 0:
            return digits
        return self.digit + digits if self.side == "left" else digits + self.digit


class Dialect:
    """A dialect of forms that are drawn by lot."""

    def __init__(self, draw):
        self.header = draw.choice(HEADERS)
        self.counts_itself = draw.random() < 0.3
        self.tpdu = TPDU if draw.random() < 0.3 else None
        self.mti = draw.choice(("ascii", "bcd", "ebcdic"))
        self.bitmap = draw.choice(("hex", "binary", "ebcdic"))
        self.elements = [Element(draw, number) for number in range(2, 129) if number != 65]

    def toml(self):
        tpdu = f'tpdu = "{self.tpdu}"\n' if self.tpdu else ""
        return (
            f'name = "x"\nheader = "{self.header}"\nheader_counts_itself = {str(self.counts_itself).lower()}\n{tpdu}'
            f'mti = "{self.mti}"\nbitmap = "{self.bitmap}"\n[elements]\n' + "".join(e.toml() for e in self.elements)
        )

    def spec(self):
        def fixed(encoding, length):
            return {"data_enc": encoding, "len_enc": "ascii", "len_type": 0, "max_len": length, "desc": "x"}

        bitmap = fixed("b", 8) if self.bitmap == "binary" else fixed({"hex": "ascii", "ebcdic": "cp1047"}[self.bitmap], 16)
        return {
            "h": fixed("b", len(self.tpdu) // 2 if self.tpdu else 0),
            "t": fixed("b", 2) if self.mti == "bcd" else fixed(TEXT[self.mti], 4),
            "p": bitmap,
            "1": bitmap,
            **{str(element.number): element.spec() for element in self.elements},
        }

    def framed(self, body):
        length = len(body) + (0 if not self.counts_itself else 4 if self.header == "ascii4" else 2)
        digits = b"%04d" % length
        head = {"ascii4": digits, "binary2": struct.pack(">H", length), "bcd2": bytes.fromhex(digits.decode())}
        return head[self.header] + body

    def message(self, draw):
        """Elements as Sampan holds them, and a message as pyiso8583 wants it."""
        ours, theirs = {}, {"t": draw.choice(("0200", "0210", "0420", "0421", "0430", "0800"))}
        if self.tpdu:
            theirs["h"] = self.tpdu
        for element in draw.sample(self.elements, draw.randint(0, 40)):
            own, their = element.value(draw)
            ours[element.number], theirs[str(element.number)] = own, their
        return ours, theirs


def draw_of(seed):
    return random.Random(seed)
