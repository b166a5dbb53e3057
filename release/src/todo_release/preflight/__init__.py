"""Finds what would fail in a release before the release changes anything.

`inspection` runs the checks for one environment: `cluster_reader` reads the cluster, `rendering` renders the
chart, and `lookups` asks registries, DNS and git. Together they make a `snapshot`. Each check in `checks/` is
a pure function from a snapshot to findings.

May import `errors`, `core`, `config`, `adapters`, `artifacts` and `environments`. Start reading at
`snapshot.PreflightSnapshot`, then one short check (`checks/images.py`), then `inspection.inspect`.
"""
