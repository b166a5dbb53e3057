"""Notifications: what becomes one, their table and their HTTP interface."""
