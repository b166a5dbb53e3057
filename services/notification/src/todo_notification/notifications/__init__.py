"""Notifications: which events become one (`rules`), HTTP interface (`routes`, `schemas`) and storage.

Start reading at `rules` and `service`.
"""
