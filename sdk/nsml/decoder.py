"""Here because `from nsml.decoder import decoder` was possible in 2018; there is nothing behind it."""

decoder = None
