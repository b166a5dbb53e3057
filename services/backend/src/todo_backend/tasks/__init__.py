"""Tasks: their table, their rules and their HTTP interface."""
