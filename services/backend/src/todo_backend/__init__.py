"""The backend service: owns tasks, and publishes an event for every change of one.

Imports `todo_kit` and no other service. Start reading at `app.create_app`, then `tasks.routes` and
`tasks.service`.
"""
