"""Checks that the record which Helm keeps of a revision fits into a Secret."""

from todo_release.adapters.helm.record_size import LIMIT_BYTES
from todo_release.preflight.check import PreflightCheck
from todo_release.preflight.finding import Findings, error, warning
from todo_release.preflight.snapshot import PreflightSnapshot

WARNING_BYTES = int(0.8 * LIMIT_BYTES)
REMEDY = (
    "Name large files in .helmignore, or take them out of the chart, for example into an image or into a "
    "ConfigMap that is applied beforehand."
)


def _record_fits(snapshot: PreflightSnapshot) -> Findings:
    """Compares the size with what Kubernetes allows; Helm would fail after everything else was done."""
    if snapshot.record_bytes <= WARNING_BYTES:
        return
    size = f"Helm's record of this version has {snapshot.record_bytes / LIMIT_BYTES:.2f} MiB"
    subject = snapshot.config.chart.path
    if snapshot.record_bytes > LIMIT_BYTES:
        yield error(
            subject, f"{size}, and Kubernetes allows 1 MiB: Helm could not record the release.", REMEDY
        )
    else:
        yield warning(subject, f"{size}; Kubernetes allows 1 MiB.", REMEDY)


CHECK = PreflightCheck(id="helm-record", title="Helm can record the release", rules=(_record_fits,))
