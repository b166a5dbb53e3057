"""release.yaml as typed, frozen values, with the overrides of one run laid over it.

Imports `errors` and `core`; it does not know `adapters`. Start with `model`, which lists every key, then
`loader`, which turns a mistake into a message with file, line and column.
"""
