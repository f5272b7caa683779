"""Reports: single HTML files that open anywhere, also without a network."""
