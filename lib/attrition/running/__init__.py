"""A trial that is still running: where it stands, how many will leave, when it left its plan, what power is left."""
