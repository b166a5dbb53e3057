"""Does the steps of a plan: one handler for each kind of step, and nothing else.

A handler has two methods: `check` says whether the step is done already, `do` does it. The protocol is
`pipeline.runner.StepHandler`; `session` chooses the handler of each kind. Start reading at `build`, the
shortest one that changes something.

May import what `pipeline` may import, and `pipeline.runner` and `pipeline.steps`.
"""
