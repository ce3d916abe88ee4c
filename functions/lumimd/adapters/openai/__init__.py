"""OpenAI: summaries by a language model."""
