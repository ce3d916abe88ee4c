"""Make hostile uploads that try to harm the process that reads them."""

import struct
from itertools import repeat

from tests.support.recordings import FORMATS, recorded
from tests.support.services import tone

TEXTS = {
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    b"m=audio 45004 RTP/AVP 0\n",
    "concat": b"ffconcat version 1.0\nfile /etc/hostname\n",
    "hls": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n",
    "m3u": b"#EXTM3U\nhttp://127.0.0.1:9/a.mp3\n",
    "dash": b'<?xml version="1.0"?><MPD><BaseURL>http://127.0.0.1:9/</BaseURL></MPD>',
    "ram": b"rtsp://127.0.0.1:9/a.rm\n",
    "reference": b"[Reference]\nRef1=http://127.0.0.1:9/asf\n",
    "vobsub": b"# VobSub index file, v7\nsize: 720x480\nid: en, index: 0\n",
    "metadata": b";FFMETADATA1\ntitle=x\n",
    "html": b"<!doctype html><html><body>404</body></html>" * 20,
    "json": b'{"a": [' + b"1," * 200_000 + b"1]}",
}
"""Texts that FFmpeg would read as a playlist, a session description or a list of files."""


def box(name: bytes, body: bytes) -> bytes:
    """Return an MP4 box."""
    return struct.pack(">I4s", len(body) + 8, name) + body


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a RIFF chunk."""
    return struct.pack("<4sI", name, len(body)) + body


def _id3(frames: int) -> bytes:
    body = b"".join(
        b"TXXX" + struct.pack(">IH", 12, 0) + b"\0k%06d\0vvv" % each for each in range(frames)
    )
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + body + recorded(FORMATS["mp3, no header"])


def _flac_comments(count: int) -> bytes:
    flac = recorded(FORMATS["flac"])
    entries = b"".join(struct.pack("<I", 10) + b"k%06d=vv" % each for each in range(count))
    body = struct.pack("<II", 0, count) + entries
    return flac[:42].replace(b"fLaC\x80", b"fLaC\0") + b"\x04" + len(body).to_bytes(3) + body


def _boxes_in_boxes(depth: int) -> bytes:
    """Return an MP4 with `mdia` boxes that are nested `depth` deep."""
    size = 8 * (depth + 1)
    levels = b"".join(struct.pack(">I4s", size - 8 * n, b"mdia") for n in range(depth))
    return box(b"moov", box(b"trak", levels))


def _info(count: int) -> bytes:
    wav = tone(seconds=1)
    infos = b"INFO" + b"".join(chunk(b"%04d" % (n % 10_000), b"vv") for n in range(count))
    return wav[:36] + chunk(b"LIST", infos) + wav[36:]


def _table(name: bytes, rows: int) -> bytes:
    """Return an MP4 index whose only table is `name`, with `rows` empty rows."""
    table = box(name, struct.pack(">II", 0, rows) + bytes(8 * rows))
    header = box(b"mdhd", bytes(12) + struct.pack(">II", 1_000, 1) + bytes(4))
    sound = box(b"hdlr", bytes(8) + b"soun")
    stbl = box(b"minf", box(b"stbl", table))
    return box(b"moov", box(b"trak", box(b"mdia", header + sound + stbl)))


BOMBS = {
    "20,000 ID3 tags": _id3(20_000),
    "200,000 comments in FLAC": _flac_comments(200_000),
    "50,000 INFO chunks": _info(50_000),
    "200,000 chunks": b"RIFF\0\0\0\0WAVE" + b"abcd\0\0\0\0" * 200_000,
    "500,000 empty boxes": box(b"ftyp", b"isom") + struct.pack(">I4s", 8, b"free") * 500_000,
    "boxes in boxes": _boxes_in_boxes(200_000),
    "4,000,000 rows of stts": _table(b"stts", 4_000_000),
    "8,000,000 chunks of MP4": _table(b"stco", 8_000_000),
    "fragments without sound": _table(b"stts", 1) + box(b"moof", b"") * 300_000,
    "200,000 streams of Ogg": b"".join(
        b"OggS\0\x02"
        + bytes(8)
        + struct.pack("<I", each)
        + bytes(8)
        + b"\1\x13"
        + b"OpusHead"
        + bytes(11)
        for each in range(200_000)
    ),
    "500,000 clusters": recorded(FORMATS["webm"])[:600] + b"\x1fC\xb6u\x83\xe7\x81\0" * 500_000,
    "half a million recordings": recorded(FORMATS["webm"], streamed=True)[:300] * 10_000,
    "two megabytes of sync": b"\xff\xf1" * 1_000_000,
    "frames of sync": recorded(FORMATS["aac"]) + b"\xff\xf1\x50\x80\x00\x00\xfc" * 600_000,
    "thirty megabytes of cover": recorded(FORMATS["m4a"])
    + box(b"moov", box(b"udta", bytes(30_000_000))),
    "elements in elements": recorded(FORMATS["webm"])[:40]
    + b"".join(repeat(b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff", 100_000)),
}
"""Small files that are expensive to read; FFmpeg takes seconds or gigabytes for some of them."""
