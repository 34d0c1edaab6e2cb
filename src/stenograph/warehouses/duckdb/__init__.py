"""History in one DuckDB file.

Imports nothing, so that its settings load where DuckDB is not installed.
"""
