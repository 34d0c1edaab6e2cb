"""Sources: one folder per kind, none of which knows another."""
