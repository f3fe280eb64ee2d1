"""Training losses, mitigations of unfairness among them."""
