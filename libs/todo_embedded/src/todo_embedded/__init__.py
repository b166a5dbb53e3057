"""Real servers for local runs and tests, started without root or containers; never enters an image.

`tools` brings pinned binaries, `process` supervises one child, and the modules `postgres`, `redis`, `daprd`,
`node` and `caddy` join the two; `controlplane` joins several into a Kubernetes cluster without machines.
Everything that goes wrong is an `EmbeddedError` of `errors`.
"""
