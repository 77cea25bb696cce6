"""Text in characters that EPICS serves as numbers or as fixed fields: up to the first NUL, whatever follows it."""

import codecs
import re

_TEXT_WITH_MODIFIER = re.compile(r"[^.]*\.\w*\$[{\[]")


def text(raw: bytes, field_size: int = 0) -> str:
    """The text before the first NUL, as `decoded` has it."""
    return decoded(raw.split(b"\0", 1)[0], field_size)


def decoded(raw: bytes, field_size: int = 0) -> str:
    """UTF-8 where it is valid, else Latin-1, which takes any byte.

    Where all is UTF-8 but for a last character whose end is missing, the text was cut to fit a field, and that
    character is left out. When everything before it is ASCII, it may as well be a letter of Latin-1, such as the unit
    `Å`: then it is left out only if it fills a field of `field_size` bytes, with a NUL or without.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError:
        pass
    try:
        whole, _ = codecs.utf_8_decode(raw, "strict", False)
    except UnicodeDecodeError:
        return raw.decode("latin-1")
    is_cut = not whole.isascii() or field_size - len(raw) in (0, 1)
    return whole if is_cut else raw.decode("latin-1")


def asks_for_text(name: str) -> bool:
    """Whether a PV's name says that its characters are a text: the field ends with `$`, before any filter of it."""
    return name.endswith("$") or _TEXT_WITH_MODIFIER.match(name) is not None
