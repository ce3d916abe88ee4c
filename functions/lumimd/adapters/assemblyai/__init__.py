"""AssemblyAI: transcripts with speaker labels."""
