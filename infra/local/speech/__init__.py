"""A speech server with AssemblyAI's pre-recorded API (v2), for machines without a key.

Read in this order: server.py (routes), queue.py (the states of a job), then one of the two
recognizers: engine.py (Whisper and speaker labels) or scripted.py (tests and load).

Accepted and echoed, but without effect here: keyterms_prompt, domain, prompt, temperature,
redact_pii and the other text-intelligence options. The server logs a submission that requests
redaction, because its transcript will contain text that the real service would remove.
"""
