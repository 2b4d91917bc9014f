"""Here because `from nsml.encoder import encoder` was possible in 2018; there is nothing behind it."""

encoder = None
