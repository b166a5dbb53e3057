"""Rehearses a release: the same plan and the same steps, in a world made for it and thrown away afterwards.

`scratch` has a clone and a remote, `images` stand-ins of images in a registry of its own, `site` a real
Kubernetes control plane with simulated nodes, furnished as release.yaml says or like a live cluster (`twin`,
`doors`). `theatre` opens that world. `acts` plays the release in it, `report` says what came of it;
`faults` lets things go wrong, to new pods by `newcomers`, and `trials` sees how the engine fares.
`rehearsing` puts all of it together.
"""
