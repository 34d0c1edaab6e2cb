"""The embedded change log: one SQLite file, for a pipeline on one machine."""
