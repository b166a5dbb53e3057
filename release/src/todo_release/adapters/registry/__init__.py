"""The image registry: what it holds, and with which credentials it is asked.

Imports `errors`, `adapters.http` and `adapters.process` (credential helpers). Start with `client`.
"""
