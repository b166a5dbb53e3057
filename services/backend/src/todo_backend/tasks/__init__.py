"""Tasks: HTTP interface (`routes`, `schemas`), rules (`service`) and storage (`repository`, `models`).

`position` is what a list's cursor contains. Start reading at `routes`.
"""
