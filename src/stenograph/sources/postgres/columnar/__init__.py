"""Encodes many rows of one table at once, column by column, without an object for a row or a value.

Knows no stream and no transaction's state; what it is not sure of it leaves to the compiled functions, row by row.
"""
