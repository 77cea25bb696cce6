"""Carries EPICS PV updates into Apache Kafka."""

__version__ = "0.1.0"
