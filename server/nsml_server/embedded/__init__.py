"""The platform on one machine, as `nsmlctl up` starts it: server, worker, SQLite and a folder, with nothing to install."""
