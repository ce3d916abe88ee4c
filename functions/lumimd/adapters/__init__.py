"""Adapters for the roles of `lumimd.ports`: one package per vendor, and `memory` for all roles."""
