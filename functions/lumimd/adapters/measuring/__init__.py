"""Measure the duration of a recording in worker processes that can be killed.

    pool       the worker pool: gives recordings to its processes, fairly, and returns durations
    process    one worker process, as its parent controls it
    worker     the main program of the worker process
    length     recognizes the container of a file, and calls the reader for it
    mp4, matroska, ogg, flac, wav, chunks, frames, amr    one family of containers each

Uploads are untrusted, because a recording may hold any bytes. So no demuxer written in C reads a
recording: these readers look only at headers, decode nothing, open no file and follow no reference.
See docs/decisions/0020.
"""
