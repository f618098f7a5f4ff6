"""Settings of all tests."""

from hypothesis import HealthCheck, settings

# How long an example takes depends on the machine, and speed belongs in `make bench`.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
