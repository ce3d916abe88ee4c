"""The REST API: routes for owners and operators. Start reading at `application.py`.

Nothing outside this package imports it, but for the entry point, and that when it is first called:
the other functions never load FastAPI.
"""
