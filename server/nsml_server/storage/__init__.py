"""Where bytes rest: blobs named by their hash, and streams appended at an offset."""
