"""Firebase Storage on this machine: the protocol of its SDKs in front of the local bucket.

An upload of an SDK becomes an ordinary object of the bucket, and its finalize event starts the
pipeline. The real Firebase Storage is such a layer over Cloud Storage, too. Its emulator is not:
it keeps its own objects, sends no events to functions, and needs Java and Node.
"""
