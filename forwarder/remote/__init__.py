"""A running forwarder as others see it: what it says of itself, and what it can be told through its topics.

For all that stands beside a forwarder: the commands for people, and the process that tells it an instrument's blocks.
"""
