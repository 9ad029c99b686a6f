"""A specification for pyiso8583, made mechanically from one of Sampan's dialect files.

pyiso8583 has its own idea of how ISO 8583 is cut into elements; the table alone is shared, so a
message that both read and write alike is one that both cut alike.
"""

import tomllib

LENGTH_DIGITS = {"fixed": 0, "LL": 2, "LLL": 3}
BITMAP_CHARACTERS = 16


def ascii_field(description, length_digits, characters_max):
    return {
        "data_enc": "ascii",
        "len_enc": "ascii",
        "len_type": length_digits,
        "max_len": characters_max,
        "desc": description,
    }


def element(row):
    """An element by its row of the table; a binary one travels as two characters per byte."""
    encoding = row.get("encoding", "hex" if row["content"] == "bitmap" else "ascii")
    if encoding not in ("ascii", "hex"):
        raise ValueError(f"the encoding {encoding} has no counterpart here")
    characters = row["max"] * (2 if row["content"] == "b" else 1)
    return ascii_field(row["name"], LENGTH_DIGITS[row["length"]], characters)


def spec_of(path):
    """The specification; `h` is empty because the length before a message is no part of it."""
    with open(path, "rb") as file:
        dialect = tomllib.load(file)
    if (dialect["header"], dialect["bitmap"]) != ("ascii4", "hex"):
        raise ValueError("only the header ascii4 and hexadecimal bitmaps have a counterpart here")
    spec = {
        "h": ascii_field("Message header", 0, 0),
        "t": ascii_field("Message type", 0, 4),
        "p": ascii_field("Bitmap, primary", 0, BITMAP_CHARACTERS),
    }
    spec.update((number, element(row)) for number, row in dialect["elements"].items())
    return spec
