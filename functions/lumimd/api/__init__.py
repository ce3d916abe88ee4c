"""The REST API: routes for owners and operators. Start reading at `application.py`.

Outside this package only the entry point imports it, and only when `api` is first called, so that
the other functions never load FastAPI.
"""
