"""Helm: its program, which renders and changes releases, and the records it keeps about them in the cluster.

Imports `errors`, `core`, `adapters.process` and `adapters.kubernetes`. Start with `cli`.
"""
