"""What the machine thinks: networks, scores and explanations in torch. Draws nothing."""
