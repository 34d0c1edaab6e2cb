"""Stenograph writes down every change of the systems that sell, in order, exactly once.

Holds the version and imports nothing, so that naming a layer never loads a driver.
"""

__version__ = "0.1.0"
