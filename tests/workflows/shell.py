"""Finds the calls of `./inv` and `./nox` in shell text and in Markdown.

A call ends with its command: at the end of a line, a pipe, a redirection, a closing bracket or a comment.
"""

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise

from markdown_it import MarkdownIt

CALL = re.compile(r"(?<![\w/])\./(?:inv|nox)(?=\s|$)")
CONTINUED = re.compile(r"\\\n\s*")
SHELL = {"sh", "bash", "console", "shell"}


def calls(text: str, program: str) -> Iterator[list[str]]:
    """Yields the arguments of every call of a program (`inv`, `nox`), also of those inside `$(...)`."""
    for line in CONTINUED.sub(" ", text).splitlines():
        for match in CALL.finditer(line):
            name, *arguments = _words(line[match.start() :])
            if name == f"./{program}":
                yield arguments


def _words(text: str) -> Iterator[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    for word in lexer:
        if set(word) <= set("();<>|&"):
            return
        yield word


def blocks(markdown: str) -> Iterator[str]:
    """Yields the shell code blocks of a document; in a console block, commands begin with `$`."""
    for token in MarkdownIt().parse(markdown):
        if token.type == "fence" and token.info.strip() in SHELL:
            lines = token.content.splitlines()
            if token.info.strip() == "console":
                lines = [line for line in lines if line.startswith("$ ")]
            yield "\n".join(line.removeprefix("$ ") for line in lines)


def spans(markdown: str) -> Iterator[str]:
    """Yields the inline code of a document."""
    for token in MarkdownIt().enable("table").parse(markdown):
        yield from (child.content for child in token.children or () if child.type == "code_inline")


def sections(markdown: str) -> list[str]:
    """Returns the headings of a document."""
    tokens = MarkdownIt().parse(markdown)
    return [following.content for token, following in pairwise(tokens) if token.type == "heading_open"]
