"""`inv bootstrap`: from cluster.yaml to a cluster that the application's chart can be released to.

Start reading in `run`. `plan` lists the steps as data (`step`), each check -> do -> record; a module holds
one kind of step: `manifests`, `definitions`, `components`, `issuers`, `access`; `provider` makes the cluster.
Before anything is changed `rules` refuses what is known to fail later, and `capacity` what does not fit the
nodes (`sizing`).
"""
