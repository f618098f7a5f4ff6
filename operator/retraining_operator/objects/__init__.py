"""RetrainRequests, Jobs and pods as the operator reads and writes them. Pure."""
