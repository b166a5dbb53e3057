"""Decides how each pod on a simulated machine fares, as its kubelet would find out: from the live objects.

One thread watches the pods of the plane. Each that is bound to a machine has a worker, which marks it for
kwok's stages to play and asks again while something is missing. What happens is told in the kubelet's events.
"""

import asyncio
import json
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import httpx2

from todo_embedded.controlplane import kubelet_events, pod_references
from todo_embedded.controlplane.api_client import MERGE_PATCH, Api, accept, watch
from todo_embedded.controlplane.kubelet_events import Event, events_between
from todo_embedded.controlplane.nodes import SYSTEM
from todo_embedded.controlplane.pod_annotations import Fate, Kind, fate_of
from todo_embedded.controlplane.pod_faults import Crash, Fault, NeverReady
from todo_embedded.controlplane.pod_references import Reference

RECONNECT_SECONDS = 0.2
GONE = (403, 404)  # the object, or its namespace, is being deleted
OVER = ("Succeeded", "Failed")

ImageCheck = Callable[[str], str | None]
Pod = Mapping[str, Any]


def every_image_exists(_image: str) -> None:
    """Refuse no image: the check of callers that have no registry."""


class Fates:
    """The kubelets' decisions, taken in a thread of its own for the length of the block.

    `image_check` is given an image and returns the text with which its registry refuses it, or None. It is
    called from worker threads, and not for what the provider itself runs. `retry_seconds` is how often a pod
    asks again for what is missing.
    """

    def __init__(self, api: Api, *, image_check: ImageCheck, retry_seconds: float) -> None:
        """Nothing is decided before the block begins."""
        self._api = api
        self._image_check = image_check
        self._retry_seconds = retry_seconds
        self._faults: tuple[Fault, ...] = ()
        self._pods: dict[str, Pod] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fates")
        self._is_up = threading.Event()

    def set_faults(self, *faults: Fault) -> None:
        """Let these go wrong from now on, and nothing else; of several for one pod the first counts.

        It befalls pods that run already, too; what is taken away recovers.
        """
        self._faults = faults
        self._loop.call_soon_threadsafe(self._wake_workers)

    def __enter__(self) -> Self:
        """Begin to decide."""
        self._outcome: Future[None] = self._pool.submit(asyncio.run, self._run())
        self._is_up.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop deciding. Raises what ended it early, if something did."""
        if not self._outcome.done():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._pool.shutdown()
        self._outcome.result()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._changed = asyncio.Event()
        self._untold: asyncio.Queue[tuple[Event, Pod]] = asyncio.Queue()
        self._is_up.set()
        async with self._api.asynchronous() as self._client, asyncio.TaskGroup() as self._tasks:
            steady = [self._tasks.create_task(self._watch_pods()), self._tasks.create_task(self._tell())]
            await self._stop.wait()
            for task in [*steady, *self._workers.values()]:
                task.cancel()

    def _wake_workers(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _watch_pods(self) -> None:
        while True:
            try:
                async for change, pod in watch(self._client, "api/v1/pods"):
                    self._see(change, pod)
            except httpx2.TransportError:
                await asyncio.sleep(RECONNECT_SECONDS)

    def _see(self, change: str, pod: Pod) -> None:
        meta = pod["metadata"]
        uid = meta["uid"]
        if change == "DELETED" or "deletionTimestamp" in meta or pod["status"].get("phase") in OVER:
            self._pods.pop(uid, None)
            if worker := self._workers.pop(uid, None):
                worker.cancel()
        elif "nodeName" in pod["spec"]:
            for event in events_between(self._pods.get(uid), pod):
                self._untold.put_nowait((event, pod))
            self._pods[uid] = pod
            if uid not in self._workers:
                self._workers[uid] = self._tasks.create_task(self._work(pod))

    async def _work(self, pod: Pod) -> None:
        """Decide about one pod until it is gone."""
        fate = fate_of(pod)
        if fate is None:
            await self._warn_of_pull_secrets(pod)
        while True:
            changed = self._changed
            decided = await self._decide(pod, fate)
            if decided != fate:
                await self._mark(pod, decided)
                fate = decided
            try:
                async with asyncio.timeout(self._retry_seconds if fate.is_before_start else None):
                    await changed.wait()
            except TimeoutError:
                continue

    async def _decide(self, pod: Pod, fate: Fate | None) -> Fate:
        """What is missing counts until the pod has started, what goes wrong inside it ever after."""
        if fate is None or fate.is_before_start:
            hindrance = await self._hindrance(pod)
            if hindrance:
                return hindrance
        return course(pod, self._faults)

    async def _hindrance(self, pod: Pod) -> Fate | None:
        """The first thing that keeps the pod from starting, in the order in which a kubelet comes upon it."""
        said = await self._complaint(pod_references.of_volumes(pod))
        if said:
            return Fate(Kind.MOUNTING, message=said)
        meta, spec = pod["metadata"], pod["spec"]
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            if meta["namespace"] != SYSTEM:
                refusal = await asyncio.to_thread(self._image_check, container["image"])
                if refusal:
                    return Fate(Kind.REFUSED, container["name"], refusal)
            said = await self._complaint(pod_references.of_container(container, meta["namespace"]))
            if said:
                return Fate(Kind.MISCONFIGURED, container["name"], said)
        return None

    async def _complaint(self, needed: Iterable[Reference]) -> str:
        for reference in needed:
            if said := reference.complaint(await self._find(reference)):
                return said
        return ""

    async def _find(self, reference: Reference) -> Any:
        response = await self._ask("GET", reference.path)
        return None if response.status_code == 404 else accept(response)

    async def _ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Send a request that goes on to its end even if its task is cancelled: httpcore2 leaves a connection
        open that is given up in the middle of its TLS handshake.
        """
        return await asyncio.shield(self._tasks.create_task(self._client.request(method, path, **options)))

    async def _warn_of_pull_secrets(self, pod: Pod) -> None:
        missing = [one.name for one in pod_references.of_pulling(pod) if await self._find(one) is None]
        if missing:
            message = (
                f"Unable to retrieve some image pull secrets ({', '.join(missing)}); "
                "attempting to pull the image may not succeed."
            )
            self._untold.put_nowait(
                (Event(kubelet_events.WARNING, "FailedToRetrieveImagePullSecret", message), pod)
            )

    async def _mark(self, pod: Pod, fate: Fate) -> None:
        meta = pod["metadata"]
        path = f"api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        patch = {"metadata": {"uid": meta["uid"], "annotations": fate.annotations()}}
        response = await self._ask("PATCH", path, content=json.dumps(patch), headers=MERGE_PATCH)
        if response.status_code not in (*GONE, 409):  # 409: another pod has the name by now
            accept(response)

    async def _tell(self) -> None:
        """Write events one after the other; one that is told again is counted, as kubelets do."""
        told: dict[tuple[str, Event], dict[str, Any]] = {}
        while True:
            event, pod = await self._untold.get()
            key = (pod["metadata"]["uid"], event)
            collection = f"api/v1/namespaces/{pod['metadata']['namespace']}/events"
            if key in told:
                told[key]["count"] += 1
                again = {"count": told[key]["count"], "lastTimestamp": kubelet_events.timestamp()}
                path = f"{collection}/{told[key]['metadata']['name']}"
                response = await self._ask("PATCH", path, content=json.dumps(again), headers=MERGE_PATCH)
            else:
                told[key] = kubelet_events.manifest(
                    event, pod, name=f"{pod['metadata']['name']}.{uuid.uuid4().hex[:16]}"
                )
                response = await self._ask("POST", collection, json=told[key])
            if response.status_code not in GONE:
                accept(response)


def course(pod: Pod, faults: Iterable[Fault]) -> Fate:
    """How a pod fares once nothing is missing: as its first fault wants it, else well."""
    owners = pod["metadata"].get("ownerReferences", [])
    is_of_job = any(one["kind"] == "Job" for one in owners)
    fault = next((one for one in faults if one.befalls(pod)), None)
    match fault:
        case Crash():
            kind = Kind.FAILING if pod["spec"]["restartPolicy"] == "Never" else Kind.CRASHING
            name = fault.container_of(pod)
            return Fate(kind, name, reason=fault.reason, exit_code=fault.exit_code)
        case NeverReady():
            return Fate(Kind.UNREADY, fault.container_of(pod), fault.message)
    return Fate(Kind.COMPLETING if is_of_job else Kind.RUNNING)
