"""What `forwarder blocks` does: it stands beside an instrument and tells a forwarder what to forward of it."""
