"""What DataLoader's workers do when batches are too large for /dev/shm."""

with open("/dev/shm/batch", "wb") as batch:
    while True:
        batch.write(b"x" * (4 << 20))
