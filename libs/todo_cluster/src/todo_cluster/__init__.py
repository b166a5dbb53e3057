"""The cluster below the application: `inv bootstrap`, `inv cost`, and what else an operator does to it.

cluster.yaml says what the cluster must be, as release.yaml says it of the application. A folder holds one
subject; `config` has the typed form of cluster.yaml, `command` runs one command and shows its errors once.

May import of the engine its adapters, core, errors, config, report, what renders the chart (`artifacts`), and
of preflight the simulation of the scheduler and the reader of references; only tasks.py of the repository
imports this package. `application`, `broker` and `database` are what several subjects reach.
"""
