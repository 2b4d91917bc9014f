"""The pages people look at: leaderboard, sessions, submissions. `install` gives them to an application."""

from nsml_server.web.site import install, router

__all__ = ["install", "router"]
