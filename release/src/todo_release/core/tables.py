"""Answers that are no runs: a title, columns, rows of text."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of as many cells as there are columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def lines(self) -> Iterable[str]:
        """The table as aligned text; cells of several lines keep their first one only."""
        cells = [self.columns, *(tuple(cell.split("\n")[0] for cell in row) for row in self.rows)]
        widths = [max(len(row[index]) for row in cells) for index in range(len(self.columns))]
        yield self.title
        for row in cells:
            yield (
                "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            )
        if not self.rows:
            yield "  (nothing)"

    def as_json(self) -> dict[str, object]:
        """For machines: one mapping a row."""
        return {
            "title": self.title,
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
        }
