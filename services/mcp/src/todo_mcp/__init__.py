"""The MCP service: AI agents read and change a user's tasks through it.

It stores nothing and decides nothing: every tool calls the backend's HTTP API with the token that the agent
presented. Imports `todo_kit` without any extra, and no other service. Start reading at `app.create_app`, then
`server`, `tools`, `backend`.
"""
