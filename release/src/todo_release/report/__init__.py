"""Shows plans, runs, answers and errors to people, to programs and to GitHub.

A reporter shows everything of one command: a live table on a terminal (`live`), plain lines elsewhere
(`lines`), or JSON for programs (`json_lines`). `github_actions` also writes the job summary and annotations
of a workflow run. Start reading at `reporter`, which states what every reporter can do.

May import errors, core, config, adapters, artifacts, environments, preflight and pipeline.
"""
