"""Grafana's dashboards of the application.

Each module beside `panels` is one dashboard. `python -m todo_dashboards FOLDER` writes all of them as JSON;
the chart puts what is in `chart/files/dashboards` into the cluster.

Start reading at `services`.
"""
