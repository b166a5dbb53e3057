"""The only code that touches the outside world: one module or package for each kind of system.

Imports `errors` and `core`; it does not know `config`. Only `process` starts programs. Start with `process`,
then with the module of the system in question: `git`, `github`, `http`, `docker_engine`, `registry`,
`kubernetes`, `helm`.
"""
