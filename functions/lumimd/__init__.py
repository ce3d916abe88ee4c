"""LumiMD pipeline: a recorded medical visit in, a transcript, a summary and action items out.

Read `pipeline.py` first, then `visit.py`.
"""
