"""Doubles of what is outside of the engine.

`harness` runs a whole session on in-memory doubles (`clients`); `kubernetes_api` and `registry` are real HTTP
servers; `kubernetes_objects` and `pushed_image` make test data; `scripted` has a clock and a cluster that
follow a script.
"""
