"""Exit codes of the commands beside `run` and `demo`, for scripts."""

DONE = 0
FAILED = 1
"""Something could not be done: Kafka is away, a topic is missing, access is refused."""
WRONG = 2
"""A wrong command line, setting or list of streams; one line says which."""
UNCONFIRMED = 3
"""The command is in the config topic, but no forwarder has confirmed it in time."""
REFUSED = 4
"""The forwarder did not obey, or not for all streams."""
DIFFERENT = 5
"""A check found something that is not as it should be."""
ABORTED = 130
"""Ctrl-C, or the answer no."""

MEANING = {
    DONE: "done; for a check: all is well",
    FAILED: "it could not be done: Kafka is away, a topic is missing, access is refused; one line says what",
    WRONG: "a wrong command line, setting or list of streams; one line says what",
    UNCONFIRMED: "sent, but not confirmed by a forwarder within --timeout",
    REFUSED: "the forwarder did not obey, or not for all streams; it is said why",
    DIFFERENT: "a check found something that is not as it should be",
    ABORTED: "ended by Ctrl-C, or by the answer no",
}
"""As the documentation has it."""
