"""The length of a recording, measured in worker processes that can be stopped.

    pool       worker pool: hands recordings to kept processes, fairly, and returns their lengths
    process    one such process, as its parent sees it
    worker     the main program inside it
    length     which container a file is, and the reader of its length
    mp4, matroska, ogg, flac, wav, chunks, frames, amr    one family of containers each

Uploads are untrusted: a recording may hold any bytes. No demuxer written in C sees it: these
readers look at headers only, decode nothing, open nothing and follow no reference. See
docs/decisions/0020.
"""
