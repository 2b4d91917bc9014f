"""What the platform does, one noun a module. A service takes a transaction, decides by the domain, and writes rows."""
