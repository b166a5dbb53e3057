"""The MCP service: the only door through which an AI agent touches tasks.

It keeps nothing and decides nothing: every tool is a call of the backend's HTTP API in the name of the user
whose token the agent presented.
"""
