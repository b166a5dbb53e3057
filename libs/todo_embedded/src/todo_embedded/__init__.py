"""Real servers for local runs and tests, started without root or containers; never part of an image.

Start reading at `process.ServerProcess`, which starts, supervises and stops one child. `tools` downloads
pinned binaries and `gobuild` builds programs from Go modules; `postgres`, `redis`, `registry`, `daprd`,
`nodejs` and `caddy` each run or return one of them. `controlplane` runs a Kubernetes control plane whose
kubelets are simulated.

May import: the standard library and `uv`; `controlplane` also cryptography, httpx2 and PyYAML. Never another
package of this repository. Every error is an `EmbeddedError` (see `errors`).
"""
