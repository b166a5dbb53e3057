"""Shows plans and runs: live for people at a terminal, lines elsewhere, JSON for programs, a summary for
GitHub.
"""
