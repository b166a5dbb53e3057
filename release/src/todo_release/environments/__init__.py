"""One running environment: what it runs, who holds its lock, how it changes, and what is wrong with it.

May import `errors`, `core`, `config`, `adapters` and `artifacts`. Start with `environment` (how an
environment is reached) and `status` (what it runs); `rollout/` watches a change, `diagnosis/` explains a
failure, `smoke/` checks the application from outside.
"""
