"""Smoke checks: asks a running environment, from outside and through its URL, whether it works.

Which checks there are is stated in release.yaml (`config.model.SmokeSettings`): the certificate, HTTP
requests, and programs for all that one request cannot show. May import errors, core, config, artifacts and
adapters. Start reading in `checks`; `commands` has the contract of the programs.
"""
