"""The length of a recording, measured in worker processes that can be killed.

    pool       worker pool: gives recordings to kept processes, fairly, and returns their lengths
    process    one such process, seen from its parent
    worker     the main program inside it
    length     the container of a file, and the reader of its length
    mp4, matroska, ogg, flac, wav, chunks, frames, amr    one family of containers each

Uploads are untrusted: a recording may hold any bytes. No demuxer written in C reads it: these
readers look only at headers, decode nothing, open no file and follow no reference. See
docs/decisions/0020.
"""
