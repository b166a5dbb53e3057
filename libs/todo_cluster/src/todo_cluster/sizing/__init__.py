"""What is asked of the nodes, and whether they have it: before anything is installed, and while it runs.

`sizes` collects the parts (what runs, components, environments), `rendering` renders third-party charts for
them, `capacity` tries them out with the engine's simulation of the scheduler.
"""
