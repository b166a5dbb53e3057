"""`inv cost`: what the cluster costs a month, how long a credit lasts, and what would save how much.

`bill` lists what is bought, of the live cluster or as configured; `options` asks the simulation of the
scheduler how many nodes each alternative needs, because most of the money is nodes. `run` is the command.
"""
