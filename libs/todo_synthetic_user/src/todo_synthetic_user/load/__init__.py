"""Constant load of a few users on every public route, with open streams, while something happens to the pods.

Nothing is tried again: a request that fails is counted. A stream is resumed as a browser resumes it, and at
the end must show what the server has.

Start reading in `run`.
"""
