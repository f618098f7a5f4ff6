"""The cache of watched objects: kopf handlers, the cache and the health of the watch."""
