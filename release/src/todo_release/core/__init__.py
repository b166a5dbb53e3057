"""Values and small tools that know no outside world: clock, progress, masking, tables, YAML with positions.

Imports `errors` only; every other room may import from here. Start with `yaml_positions`, which lets each
message about a file name its line.
"""
