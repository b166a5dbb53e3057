"""What a version is made of, before it runs anywhere: inputs, images, chart files, changelog, release commit.

May import `errors`, `core`, `config` and `adapters`; knows nothing about running environments.
Start with `versions` and `images`, then `release_commit` (the files that a release edits) and `deployment`
(a version prepared for one environment).
"""
