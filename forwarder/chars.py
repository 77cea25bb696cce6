"""Text in characters that EPICS serves as numbers or as fixed fields: up to the first NUL, whatever follows it."""


def text(raw: bytes) -> str:
    """The text before the first NUL. UTF-8 where it is valid, else Latin-1, which takes any byte."""
    raw = raw.split(b"\0", 1)[0]
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
