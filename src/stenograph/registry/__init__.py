"""Schema registries: schemas by number, versioned by subject."""
