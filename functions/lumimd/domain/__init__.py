"""The documents, events and transition table of visits; imports nothing else of `lumimd`."""
