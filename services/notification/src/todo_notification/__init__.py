"""The notification service: turns events into notifications of users, stores them and publishes them.

Imports `todo_kit` and no other service. Start reading at `app.create_app`, then `subscriptions` (events
coming in), `notifications.rules` (which of them become a notification) and `notifications.service`.
"""
