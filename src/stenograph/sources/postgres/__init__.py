"""Postgres by logical replication: tables read on an exported snapshot, then the stream of changes.

Imports no driver here: the settings must load without one.
"""
