"""A stand-in for AssemblyAI's pre-recorded API (v2), for machines without a key of AssemblyAI.

Read the modules in this order: server.py (routes), queue.py (the states of a job), then one of the
two recognizers: engine.py (Whisper and speaker labels) or scripted.py (tests and load).

The server accepts and echoes keyterms_prompt, domain, prompt, temperature, redact_pii and the other
text-intelligence options, but these options have no effect. The server logs each submission that
requests redaction, because the transcript will contain text that the real service would remove.
"""
