"""Simulates a release's rolling updates on the cluster's nodes. Pure: no module here does I/O.

`resources` holds the value types, `cluster_capacity` places pods on nodes by the rules of the kube-scheduler,
and `rolling_update` simulates the rolling updates. `pod_requirements` converts API objects, `planned_rollout`
builds the input of a simulation from a snapshot, and `remedies` tries out what would let a stuck one finish.

May import `errors`, `core`, `config`, `adapters`, `artifacts`, `environments` and `preflight.snapshot`, but
no check. Start reading at `rolling_update.simulate`.
"""
