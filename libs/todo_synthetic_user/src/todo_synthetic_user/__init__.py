"""The synthetic user: does through the public URL what a user does, to prove that all services work together.

It signs up, works in two places at once, and deletes what it made. `inv up --check`, the smoke checks of
release.yaml and load tests use it, as a library (`journey.run_journey`) or as a program (`program`, which
obeys the contract of `smoke.commands`).

May import: nothing of this repository. Start reading in `journey`.
"""
