"""Tasks: HTTP interface (`routes`, `schemas`), rules (`service`) and storage (`repository`, `models`).

`texts` says which titles, descriptions and tags are accepted, `listing` is the SQL of lists, `hot_paths`
lists and creates, and `position` is what a list's cursor contains. Start reading at `routes`.
"""
