"""Change logs: where committed changes wait, durable and in order, for the warehouse."""
