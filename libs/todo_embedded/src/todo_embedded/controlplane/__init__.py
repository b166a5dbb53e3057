"""A Kubernetes control plane of one's own, for rehearsals and tests: real but for the kubelets, which kwok plays.

`plane` starts and stops it. `programs` finds or builds what it runs, `servers` says how, `certificates` and
`kubeconfig` let its parts trust each other, `api` talks to it. `nodes` describes machines; `fates` decides how
the pods on them fare, by `references`, `faults` and `marks`, `stages` makes kwok play it and `events` tells it.
`sidecars` stands in for Dapr's injector, `definitions` has the custom resource definitions of others.

Needs the extra `todo-embedded[controlplane]`.
"""
