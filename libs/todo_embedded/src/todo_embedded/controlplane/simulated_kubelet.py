"""Decides what happens to each pod on a simulated node, as its kubelet would find out: from the live objects.

One thread watches all pods. Each pod that is bound to a node has a worker, which writes the pod's behaviour
into annotations for kwok, checks again while something is missing, and reports changes as a kubelet's events.
"""

import asyncio
import json
import threading
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import httpx2

from todo_embedded.controlplane import kubelet_events, pod_references
from todo_embedded.controlplane.api_client import MERGE_PATCH, ApiClient, body_of, watch
from todo_embedded.controlplane.kubelet_events import KubeletEvent, events_between
from todo_embedded.controlplane.nodes import SYSTEM_NAMESPACE
from todo_embedded.controlplane.object_paths import KubeObject
from todo_embedded.controlplane.pod_annotations import BehaviourKind, PodBehaviour, behaviour_of
from todo_embedded.controlplane.pod_faults import Crash, NeverReady, PodFault
from todo_embedded.controlplane.pod_references import Reference

RECONNECT_SECONDS = 0.2
GONE = (403, 404)  # the object, or its namespace, is being deleted
CONFLICT = 409
FINISHED_PHASES = ("Succeeded", "Failed")

ImageCheck = Callable[[str], str | None]


def every_image_exists(_image: str) -> None:
    """Accepts every image: the image check of callers without a registry."""


class SimulatedKubelet:
    """The kubelet of all nodes, which works in a thread of its own for the duration of the block."""

    def __init__(self, api: ApiClient, *, image_check: ImageCheck, retry_seconds: float) -> None:
        """Prepares it; nothing is decided before the block begins.

        Args:
            api: the API server to watch.
            image_check: gets an image and returns the text with which its registry refuses it, or None. It is
                called from worker threads, and not for pods in kube-system.
            retry_seconds: how often a pod checks again for what is missing.
        """
        self._api = api
        self._image_check = image_check
        self._retry_seconds = retry_seconds
        self._faults: tuple[PodFault, ...] = ()
        self._pods: dict[str, KubeObject] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="kubelet")
        self._is_up = threading.Event()

    def set_faults(self, *faults: PodFault) -> None:
        """Replaces all faults by these; of several for one pod the first counts.

        Running pods are affected too; a pod whose fault is removed recovers.
        """
        self._faults = faults
        self._loop.call_soon_threadsafe(self._wake_workers)

    def __enter__(self) -> Self:
        """Starts the thread."""
        self._finished: Future[None] = self._pool.submit(asyncio.run, self._run())
        self._is_up.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the thread, and raises the error that ended it early, if there was one."""
        if not self._finished.done():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._pool.shutdown()
        self._finished.result()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._faults_changed = asyncio.Event()
        self._unwritten_events: asyncio.Queue[tuple[KubeletEvent, KubeObject]] = asyncio.Queue()
        self._is_up.set()
        async with self._api.async_client() as self._client, asyncio.TaskGroup() as self._tasks:
            permanent = [
                self._tasks.create_task(self._watch_pods()),
                self._tasks.create_task(self._write_events()),
            ]
            await self._stop.wait()
            for task in [*permanent, *self._workers.values()]:
                task.cancel()

    def _wake_workers(self) -> None:
        self._faults_changed.set()
        self._faults_changed = asyncio.Event()

    async def _watch_pods(self) -> None:
        while True:
            try:
                async for change, pod in watch(self._client, "api/v1/pods"):
                    self._handle_change(change, pod)
            except httpx2.TransportError:
                await asyncio.sleep(RECONNECT_SECONDS)

    def _handle_change(self, change: str, pod: KubeObject) -> None:
        meta = pod["metadata"]
        uid = meta["uid"]
        is_finished = pod["status"].get("phase") in FINISHED_PHASES
        if change == "DELETED" or "deletionTimestamp" in meta or is_finished:
            self._pods.pop(uid, None)
            if worker := self._workers.pop(uid, None):
                worker.cancel()
        elif "nodeName" in pod["spec"]:
            for event in events_between(self._pods.get(uid), pod):
                self._unwritten_events.put_nowait((event, pod))
            self._pods[uid] = pod
            if uid not in self._workers:
                self._workers[uid] = self._tasks.create_task(self._work(pod))

    async def _work(self, pod: KubeObject) -> None:
        """Keeps the behaviour of one pod up to date until the pod is gone."""
        current = behaviour_of(pod)
        if current is None:
            await self._warn_of_pull_secrets(pod)
        while True:
            faults_changed = self._faults_changed
            decided = await self._decide(pod, current)
            if decided != current:
                await self._annotate(pod, decided)
                current = decided
            try:
                async with asyncio.timeout(self._retry_seconds if current.is_before_start else None):
                    await faults_changed.wait()
            except TimeoutError:
                continue

    async def _decide(self, pod: KubeObject, current: PodBehaviour | None) -> PodBehaviour:
        """Returns the pod's behaviour: what is missing counts only until the pod has started."""
        if current is None or current.is_before_start:
            blocked = await self._blocked_start(pod)
            if blocked:
                return blocked
        return started_behaviour(pod, self._faults)

    async def _blocked_start(self, pod: KubeObject) -> PodBehaviour | None:
        """Returns the first thing that keeps the pod from starting, in the order of a kubelet's checks."""
        meta, spec = pod["metadata"], pod["spec"]
        missing = await self._missing_reference(pod_references.of_volumes(spec, meta["namespace"]))
        if missing:
            return PodBehaviour(BehaviourKind.MOUNTING, message=missing)
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            if meta["namespace"] != SYSTEM_NAMESPACE:
                refusal = await asyncio.to_thread(self._image_check, container["image"])
                if refusal:
                    return PodBehaviour(BehaviourKind.REFUSED, container["name"], refusal)
            missing = await self._missing_reference(pod_references.of_container(container, meta["namespace"]))
            if missing:
                return PodBehaviour(BehaviourKind.MISCONFIGURED, container["name"], missing)
        return None

    async def _missing_reference(self, references: Iterable[Reference]) -> str:
        """Returns what a kubelet says about the first object or key that is missing, or an empty text."""
        for reference in references:
            if message := reference.complaint(await self._read(reference)):
                return message
        return ""

    async def _read(self, reference: Reference) -> Any:
        response = await self._request("GET", reference.path)
        return None if response.status_code == 404 else body_of(response)

    async def _request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Sends a request and completes it even if its task is cancelled.

        httpcore2 leaves a connection open that is abandoned during its TLS handshake.
        """
        return await asyncio.shield(self._tasks.create_task(self._client.request(method, path, **options)))

    async def _warn_of_pull_secrets(self, pod: KubeObject) -> None:
        missing = [
            reference.name
            for reference in pod_references.of_image_pulls(pod["spec"], pod["metadata"]["namespace"])
            if await self._read(reference) is None
        ]
        if missing:
            message = (
                f"Unable to retrieve some image pull secrets ({', '.join(missing)}); "
                "attempting to pull the image may not succeed."
            )
            event = KubeletEvent(kubelet_events.WARNING, "FailedToRetrieveImagePullSecret", message)
            self._unwritten_events.put_nowait((event, pod))

    async def _annotate(self, pod: KubeObject, behaviour: PodBehaviour) -> None:
        meta = pod["metadata"]
        path = f"api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        # With the uid the server answers 409 if another pod has the name by now.
        patch = {"metadata": {"uid": meta["uid"], "annotations": behaviour.annotations()}}
        while True:
            response = await self._request("PATCH", path, content=json.dumps(patch), headers=MERGE_PATCH)
            if response.status_code == CONFLICT and await self._exists(path, meta["uid"]):
                continue  # it was changed by others too often at the same time
            if response.status_code not in (*GONE, CONFLICT):
                body_of(response)
            return

    async def _exists(self, path: str, uid: str) -> bool:
        """Returns whether the pod of a path is still the one with this uid."""
        response = await self._request("GET", path)
        return response.status_code not in GONE and body_of(response)["metadata"]["uid"] == uid

    async def _write_events(self) -> None:
        """Writes events one after the other; a repeated event only raises its count, as with kubelets."""
        written: dict[tuple[str, KubeletEvent], dict[str, Any]] = {}
        while True:
            event, pod = await self._unwritten_events.get()
            key = (pod["metadata"]["uid"], event)
            collection = f"api/v1/namespaces/{pod['metadata']['namespace']}/events"
            if key in written:
                written[key]["count"] += 1
                patch = {"count": written[key]["count"], "lastTimestamp": kubelet_events.timestamp()}
                path = f"{collection}/{written[key]['metadata']['name']}"
                response = await self._request("PATCH", path, content=json.dumps(patch), headers=MERGE_PATCH)
            else:
                written[key] = kubelet_events.manifest(
                    event, pod, name=f"{pod['metadata']['name']}.{uuid.uuid4().hex[:16]}"
                )
                response = await self._request("POST", collection, json=written[key])
            if response.status_code not in GONE:
                body_of(response)


def started_behaviour(pod: KubeObject, faults: Iterable[PodFault]) -> PodBehaviour:
    """Returns the behaviour of a pod that lacks nothing: that of its first fault, otherwise healthy."""
    owners = pod["metadata"].get("ownerReferences", [])
    is_of_job = any(owner["kind"] == "Job" for owner in owners)
    fault = next((fault for fault in faults if fault.affects(pod)), None)
    match fault:
        case Crash():
            is_final = pod["spec"]["restartPolicy"] == "Never"
            kind = BehaviourKind.FAILING if is_final else BehaviourKind.CRASHING
            name = fault.container_of(pod)
            return PodBehaviour(kind, name, reason=fault.reason, exit_code=fault.exit_code)
        case NeverReady():
            return PodBehaviour(BehaviourKind.UNREADY, fault.container_of(pod), fault.message)
    return PodBehaviour(BehaviourKind.COMPLETING if is_of_job else BehaviourKind.RUNNING)
