"""A speech server with AssemblyAI's pre-recorded API (v2), for machines without a key.

Read in this order: server.py (routes), queue.py (the life of a job), then one of the two
recognizers: engine.py (Whisper and speaker labels) or scripted.py (tests and load).

Accepted and echoed, but without effect here: keyterms_prompt, domain, prompt, temperature,
redact_pii and the other text-intelligence options. A submission that asks for redaction is
logged, because its transcript will contain what the real service would have removed.
"""
