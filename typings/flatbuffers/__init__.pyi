"""Types of what the encoders use of flatbuffers, which has none of its own."""

from .builder import Builder as Builder
