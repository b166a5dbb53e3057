"""What will certainly fail in a release, found before it starts: one module a check, each a set of pure
rules.

`inspecting` takes the picture (`reading` the cluster, `drafts` the chart as it will be) and judges it by all
checks.
"""
