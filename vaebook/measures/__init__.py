"""What models and codes are worth: bounds, disentanglement, heatmaps, agreement."""
