"""The SSE gateway: holds the browsers' open streams and pushes every change to the streams of its user.

It owns no data. What it keeps (a short replay log) may be lost at any time: a client whose gap cannot be
replayed is told so with `sync.reset` and reads the truth from the backend again.
"""
