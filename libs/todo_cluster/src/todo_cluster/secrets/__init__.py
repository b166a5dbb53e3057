"""`inv secrets.set|check|rotate`: the Secrets that the chart expects and nobody keeps in Git.

`wanted` reads from the rendered chart which keys there must be, `value_sources` collects values, `checks`
tries them, `store` reads and writes the Secrets, `restart` restarts what uses them. No value is ever printed.
"""
