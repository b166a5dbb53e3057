"""Plans a release and runs the plan.

The way through this package: `survey` asks git, the registry and the clusters and returns `facts`; `plan`
turns facts into `steps` with reasons; `runner` runs the steps with the handlers in `handlers/`, and `journal`
records each one. `rollback` does the same for going back to an earlier version. Start reading at `plan`.

May import errors, core, config, adapters, artifacts, environments and preflight.
"""
