"""The command `fairweight`: main, init, run."""
