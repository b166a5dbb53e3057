"""Streams of events to browsers: encoding, replay of missed events, open streams and their registry.

Imports neither Dapr nor FastAPI's application. Start reading at `hub`, which the `endpoint` opens streams in.
"""
