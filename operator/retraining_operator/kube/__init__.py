"""The API server: client, errors and the event recorder."""
