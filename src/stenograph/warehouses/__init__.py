"""Where history is kept: one folder per warehouse, none of which knows another."""
