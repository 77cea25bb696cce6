"""What one instance of the service is told at its start: the settings, where they come from, and their checks.

`types` holds the plain values others use, `table` the one list of all settings, `load` brings the two together.
"""
