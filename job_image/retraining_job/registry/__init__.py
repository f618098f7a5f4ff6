"""The registry in Redis: the champion, its manifest, its history."""
