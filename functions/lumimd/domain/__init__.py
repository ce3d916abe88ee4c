"""Documents, events and the transition table. Imports no other room."""
