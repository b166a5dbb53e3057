"""The synthetic user: does through the public URL what a user does, to prove that all services work together.

It signs up, works in two places at once, and deletes what it made. `inv up --check` and the smoke checks of
release.yaml use it, as a library (`journey.run_journey`) or as a program (`program`, which obeys the contract
of `smoke.commands`). With `load` several users do so at a constant rate while something happens to the pods.

May import: nothing of this repository. Start reading in `journey`.
"""
