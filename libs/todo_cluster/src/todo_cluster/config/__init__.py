"""cluster.yaml as typed, frozen values.

Start with `model`, which lists every key, then `loader`, which turns a mistake into a message with file, line
and column.
"""
