"""`inv up`: runs the whole application on this machine, without root, containers or a cluster.

May import `todo_embedded` (the servers) and `todo_synthetic_user` (the check); not the release engine, not a
service. Start reading in `run`: it joins `runfile` (what dapr.yaml says), `application` (how each part is
started), `supervisor` (starts, watches and stops the parts) and `checks` (uses what runs).
"""
