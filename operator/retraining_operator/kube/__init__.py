"""The API server: transport, errors, resources, calls, and the event recorder."""
