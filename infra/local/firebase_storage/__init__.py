"""A stand-in for Firebase Storage: serves the protocol of Firebase's SDKs from the local bucket.

An SDK's upload becomes an ordinary object in the bucket, and the object's finalize event starts the
pipeline. The real Firebase Storage is also a layer over Cloud Storage. Google's emulator cannot be
used here: it keeps its own objects, sends no events to functions, and needs Java and Node.
"""
