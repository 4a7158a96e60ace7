"""The loop, and what a run is around it. The only station that knows all others."""

from datafetch.run.bring import bring, get, home_of, ignore, plan, repair

__all__ = ("bring", "get", "home_of", "ignore", "plan", "repair")
