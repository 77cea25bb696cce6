"""The real things that tests and benchmarks run against: Kafka, EPICS servers, and the forwarder itself."""
