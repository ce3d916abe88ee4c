"""Settings, composition, requests and responses of one instance."""
