"""The SSE gateway: holds the open streams of browsers and pushes every change to the streams of its user.

It owns no data. Its short replay log may be lost at any time: a client whose missed events cannot be replayed
gets `sync.reset` and reads everything from the backend again. Imports `todo_kit` without any extra, and no
other service.

Start reading at `app.create_app`, then `subscriptions` (events coming in) and `broadcast` (streams going
out).
"""
