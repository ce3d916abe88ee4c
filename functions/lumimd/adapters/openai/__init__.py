"""The adapter for OpenAI: summaries by a language model."""
