"""What came in, and what people said about it: cutouts, catalogues, votes, exports. Draws nothing, holds no network."""
