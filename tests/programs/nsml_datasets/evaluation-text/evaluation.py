"""Ends with a word."""

print(0.5)
print("done")
