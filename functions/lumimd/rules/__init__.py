"""What the rules know of medical speech, one concern a module.

words -> sentences -> (medications | diagnoses | plans) -> overview: each reads only what stands
before it, and nothing here does I/O beyond reading the word lists that lie beside the modules.
"""
