"""Who plays the roles of `lumimd.ports`: one module a vendor, `memory` for all of them."""
