"""One module for each command; each gives its click command as `command`."""
