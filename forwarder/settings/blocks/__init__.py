"""The settings of `forwarder blocks`; those it shares with `forwarder run` are in the files above."""
