"""Mutation tests of the pure modules: each small change of the code must make a test fail."""
