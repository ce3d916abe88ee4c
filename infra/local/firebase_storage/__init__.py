"""Firebase Storage on this machine: the protocol of its SDKs in front of the local bucket.

What an SDK uploads here is an object of the bucket like any other: its finalize event starts the
pipeline. The real Firebase Storage is such a layer over Cloud Storage, too. Its emulator is not:
it keeps its own objects, tells no function of them, and needs Java and Node.
"""
