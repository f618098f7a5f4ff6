"""The model: forest, deviation score, scaling and the formats in which a model is stored."""
