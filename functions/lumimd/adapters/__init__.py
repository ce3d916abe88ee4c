"""Adapters for the ports of `lumimd.ports`: one package per vendor, and `memory` for all ports."""
