"""`inv kafka.topics`: the topics of an environment, and what its account may do with them.

`wanted` joins cluster.yaml with the names that the chart gives to pods and sidecars, `plan` compares that
with the broker and is pure, `topics` reads and changes the broker.
"""
