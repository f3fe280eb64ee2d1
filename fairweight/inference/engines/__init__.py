"""What runs a shipped file."""
