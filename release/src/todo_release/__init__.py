"""The release engine: plans, checks, runs and rolls back releases.

Its packages and modules, from the ground up (each imports only those before it): `errors`, `core`, `config`
and `adapters` (which do not know each other), `artifacts`, `environments`, `preflight`, `pipeline`, `report`,
`session`, `rehearsal`, `queries` and `starter`, `commands`, `command_declarations`, `tasks` and `console`.
Only `tasks` imports invoke. Start with `commands`.
"""
