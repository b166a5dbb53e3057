"""A Kubernetes control plane of one's own, for rehearsals and tests; only its kubelets are simulated.

`plane` starts and stops it. `programs` finds or builds what it runs, `servers` says how, `certificates` and
`kubeconfig` let its parts trust each other, `api` talks to it. `nodes` describes machines. `fates` decides
how pods fare on them, by `references` and `faults`; with `marks` it has kwok play the `stages` of that, and
it tells of it in `events`. `sidecars` stands in for Dapr's injector, `definitions` has the kinds of others.

Needs the extra `todo-embedded[controlplane]`.
"""
