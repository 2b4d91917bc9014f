"""A program that never heard of the platform: it trains, and then there is nothing to submit."""

print("accuracy 0.9")
