"""The API for workers, /agent/v1: a node's own token for what the node does, an attempt's token for its run."""
