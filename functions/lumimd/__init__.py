"""LumiMD pipeline: a recorded medical visit in, a transcript, a summary and action items out.

Read `pipeline/__init__.py` first, then `domain/state_machine.py`.
"""
