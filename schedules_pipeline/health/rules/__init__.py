"""The rules: facts of one kind in, conditions out. Pure."""
