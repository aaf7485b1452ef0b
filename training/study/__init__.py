"""Several systems trained on the same data with the same budget, served, and compared."""
