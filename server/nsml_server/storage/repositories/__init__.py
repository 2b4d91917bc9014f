"""Every query, by noun. Functions take a transaction and return rows; they decide nothing."""
