"""Rules that find medications, diagnoses and plans in medical speech, one topic per module.

words -> sentences -> (medications | diagnoses | plans) -> overview: each module reads only the
results of the earlier ones. The only I/O is reading the word lists beside the modules.
"""
