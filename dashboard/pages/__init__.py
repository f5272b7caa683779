"""The pages, one Panel view each."""
