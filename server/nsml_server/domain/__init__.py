"""What the platform decides: states, names, ranks, places, and the sentences people read. No input, no output."""
