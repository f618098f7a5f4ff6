"""Objects of the cluster and the vocabulary that describes them. Pure."""
