"""The length of a recording, found out where it can be stopped.

    pool       hands recordings to kept processes, fairly, and gives back their lengths
    process    one such process, as its parent sees it
    worker     what runs inside it
    length     which container a file is, and who reads its length
    mp4, matroska, ogg, flac, wav, chunks, frames, amr    one family of containers each

A recording is whatever a user uploaded. No demuxer written in C sees it: these readers look at
headers only, decode nothing, open nothing and follow no reference. See docs/decisions/0020.
"""
