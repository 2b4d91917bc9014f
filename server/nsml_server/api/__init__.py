"""The API for people's programs, /api/v1: thin routes, one file for each noun."""
