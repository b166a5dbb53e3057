"""The checks of preflight: each module has a `CHECK`, a set of pure rules from a snapshot to findings.

A check's id is the name of its module with hyphens and of its runbook docs/runbooks/preflight-<id>.md.
`certificates` holds rules of `network`, `container_limits` rules of `capacity`, `dapr_schema` data of `dapr`.

May import what `preflight` may, and `preflight`'s own `check`, `finding`, `snapshot` and `scheduling`. Start
reading at `images`; a new check is also added to `preflight.all_checks`.
"""
