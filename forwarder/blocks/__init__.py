"""What an instrument wants to be forwarded: its blocks, its run log, and the PVs that are flagged for archiving.

`names` and `archive` read what the instrument says, `wanted` makes streams of it, `ledger` knows what a forwarder has
to be told so that it serves them.
"""
