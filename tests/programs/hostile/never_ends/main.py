"""Works for ever, at nothing."""

while True:
    pass
