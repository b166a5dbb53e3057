"""Rehearses a release in a sandbox: the same plan and steps as a real release, on a simulated cluster.

Start reading at `run`, one function per command. `sandbox` creates the environment of a rehearsal: a clone of
the repository (`scratch_repository`), a registry with stub images (`stub_images`), and a real control plane
with simulated nodes, filled as release.yaml says (`cluster_fixture`) or like a live cluster (`cluster_copy`,
`webhook_stubs`). `scenario` has the phases of a rehearsal, `report` its result. `faults` and `pod_faults` are
what can be injected, and `fault_trials` releases with each of them.

May import every room before it (errors, core, config, adapters, artifacts, environments, preflight, pipeline,
report, session) and `todo_embedded`; only `queries` and `commands` may import it.
"""
