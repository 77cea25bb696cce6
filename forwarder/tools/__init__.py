"""What the commands beside `run` do: they ask and tell a Kafka and a running forwarder, and give plain answers.

How an answer looks on a terminal is the business of the command line.
"""
