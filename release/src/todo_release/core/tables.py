"""Tables that answer a question of a person or a program: a title, columns, rows of text."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A title, names of columns, and rows with one cell a column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def lines(self) -> Iterable[str]:
        """Yields the table as lines of aligned text; only the first line of each cell is shown."""
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
        """Returns the table as JSON, with one mapping for each row."""
        return {
            "title": self.title,
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
        }
