"""A real Kubernetes control plane on simulated nodes; needs the extra `todo-embedded[controlplane]`.

Start reading at `control_plane`, which starts and stops all of it. `binaries` finds or builds the programs
and `command_lines` holds their flags; `pki` and `kubeconfig` make the credentials; `api_client` and
`object_paths` talk to the API server. `nodes` describes simulated nodes and what runs on them.

`simulated_kubelet` decides what happens to each pod, from the live objects (`pod_references`) and from
injected faults (`pod_faults`). It writes its decision into annotations (`pod_annotations`), from which kwok
sets the pod's status (`kwok_stages`), and it writes the events of a kubelet (`kubelet_events`).
`sidecar_injector` replaces Dapr's injector, `volume_provisioner` the provisioners of storage classes; `crds`
installs custom resource definitions.

May import: the rest of `todo_embedded`, cryptography, httpx2 and PyYAML.
"""
